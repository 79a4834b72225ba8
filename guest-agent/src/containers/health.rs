//! How healthy a container is: a program of its own checks it from time to time. The rules are dockerd's.
//!
//! ```text
//! starting ──a check succeeds──► healthy ◄──a check succeeds── unhealthy
//!     └──── so many fail in a row ───┴───── so many fail ──────────▲
//! ```
//!
//! Failures do not count in the start period while no check has succeeded. The container's task keeps the verdict; a task
//! beside it ([`watch_over`]) waits and runs the checks ([`super::probe`]), as long as the container runs and is not paused.
//! One that is not checked any more counts as unhealthy, as with dockerd.

use std::collections::VecDeque;

use cove_proto::v1::{self, HealthStatus};
use tokio::{
    sync::{mpsc, oneshot},
    task::AbortHandle,
    time::{Duration, Instant},
};

use super::{
    actor::{Actor, Command},
    inspect::timestamp,
    probe::{self, Probe},
};

/// dockerd's defaults.
const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(30);
const START_INTERVAL: Duration = Duration::from_secs(5);
const RETRIES: u32 = 3;
/// How many checks are remembered.
const REMEMBERED: usize = 5;

/// How often to check, and what counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    interval: Duration,
    pub(super) timeout: Duration,
    retries: u32,
    start_period: Duration,
    start_interval: Duration,
}

impl Rules {
    /// Those of a container; what it does not say is dockerd's default.
    pub(super) fn of(check: &v1::Healthcheck) -> Self {
        let or = |nanos: i64, default| match u64::try_from(nanos) {
            Ok(nanos @ 1..) => Duration::from_nanos(nanos),
            _ => default,
        };
        Self {
            interval: or(check.interval_nanos, INTERVAL),
            timeout: or(check.timeout_nanos, TIMEOUT),
            retries: if check.retries == 0 { RETRIES } else { check.retries },
            start_period: or(check.start_period_nanos, Duration::ZERO),
            start_interval: or(check.start_interval_nanos, START_INTERVAL),
        }
    }

    /// How long to wait for the next check, of a container that has run for so long.
    fn wait(&self, ran: Duration, status: HealthStatus) -> Duration {
        let starts = ran < self.start_period && status == HealthStatus::Starting;
        if starts { self.start_interval } else { self.interval }
    }
}

/// A check that is over.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    /// How long the container had run when it began.
    pub(super) ran: Duration,
    pub(super) started_at: i64,
    pub(super) ended_at: i64,
    /// -1 if it took too long or could not be run.
    pub(super) exit_code: i32,
    pub(super) output: Vec<u8>,
}

/// The verdict and what it stands on.
#[derive(Debug, Clone, Default)]
pub(super) struct Health {
    status: HealthStatus,
    failing_streak: u32,
    log: VecDeque<Checked>,
}

impl Health {
    fn begin(&mut self) {
        (self.status, self.failing_streak) = (HealthStatus::Starting, 0);
    }

    fn note(&mut self, rules: &Rules, checked: Checked) {
        if checked.exit_code == 0 {
            (self.status, self.failing_streak) = (HealthStatus::Healthy, 0);
        } else if self.status != HealthStatus::Starting || checked.ran >= rules.start_period {
            self.failing_streak += 1;
            if self.failing_streak >= rules.retries {
                self.status = HealthStatus::Unhealthy;
            }
        }
        if self.log.len() == REMEMBERED {
            self.log.pop_front();
        }
        self.log.push_back(checked);
    }

    /// In the words of the API.
    pub(super) fn told(&self) -> v1::Health {
        let result = |checked: &Checked| v1::HealthResult {
            started_at: timestamp(checked.started_at),
            ended_at: timestamp(checked.ended_at),
            exit_code: checked.exit_code,
            output: checked.output.clone(),
        };
        v1::Health {
            status: self.status.into(),
            failing_streak: self.failing_streak,
            log: self.log.iter().map(result).collect(),
        }
    }
}

/// The word of a verdict.
pub(super) fn word(status: HealthStatus) -> &'static str {
    match status {
        HealthStatus::Unspecified => "none",
        HealthStatus::Starting => "starting",
        HealthStatus::Healthy => "healthy",
        HealthStatus::Unhealthy => "unhealthy",
    }
}

/// The task that runs the checks; ends when this is dropped.
#[derive(Debug)]
pub(super) struct Monitor(AbortHandle);

impl Drop for Monitor {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs checks until it is aborted or the container is gone.
async fn watch_over(
    probe: Probe,
    rules: Rules,
    began: Instant,
    mut status: HealthStatus,
    to: mpsc::WeakSender<Command>,
) {
    loop {
        tokio::time::sleep(rules.wait(began.elapsed(), status)).await;
        let checked = probe.run(rules.timeout, began).await;
        let (reply, judged) = oneshot::channel();
        let Some(to) = to.upgrade() else { return };
        if to.send(Command::Checked(checked, reply)).await.is_err() {
            return;
        }
        let Ok(verdict) = judged.await else { return };
        status = verdict;
    }
}

impl Actor {
    /// The container runs anew: nothing is known of its health.
    pub(super) fn reset_health(&mut self) {
        if probe::args(&self.record).is_some() {
            self.health.get_or_insert_default().begin();
        }
        self.begin_health_checks();
    }

    pub(super) fn begin_health_checks(&mut self) {
        let (Some(running), Some(health)) = (&self.running, &self.health) else { return };
        let Some(entry) = self.engine.index().find(&self.record.id).ok() else { return };
        let Some(probe) = Probe::new(&self.engine, entry) else { return };
        let rules = Rules::of(&self.record.spec.healthcheck.clone().unwrap_or_default());
        let task = watch_over(probe, rules, running.since, health.status, self.own.clone());
        self.monitor = Some(Monitor(tokio::spawn(task).abort_handle()));
    }

    /// It is not checked any more, which counts as unhealthy.
    pub(super) fn stop_health_checks(&mut self) {
        if self.monitor.take().is_some()
            && let Some(health) = &mut self.health
        {
            health.status = HealthStatus::Unhealthy;
        }
    }

    /// A check is over; says what the verdict is now.
    pub(super) fn checked(&mut self, checked: Checked) -> HealthStatus {
        let Some(health) = &mut self.health else { return HealthStatus::Unspecified };
        if self.monitor.is_none() {
            // It was stopped meanwhile.
            return health.status;
        }
        let before = health.status;
        health.note(&Rules::of(&self.record.spec.healthcheck.clone().unwrap_or_default()), checked);
        let after = health.status;
        self.publish();
        if before != after {
            self.tell(&format!("health_status: {}", word(after)));
        }
        after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(start_period: i64) -> Rules {
        const SECOND: i64 = 1_000_000_000;
        Rules::of(&v1::Healthcheck {
            interval_nanos: 10 * SECOND,
            retries: 2,
            start_period_nanos: start_period * SECOND,
            start_interval_nanos: 2 * SECOND,
            ..v1::Healthcheck::default()
        })
    }

    fn checked(exit_code: i32, ran: u64) -> Checked {
        Checked { ran: Duration::from_secs(ran), started_at: 1, ended_at: 2, exit_code, output: Vec::new() }
    }

    fn verdicts(rules: &Rules, checks: &[(i32, u64)]) -> Vec<(&'static str, u32)> {
        let mut health = Health::default();
        health.begin();
        let verdict = |&(exit_code, ran): &(i32, u64)| {
            health.note(rules, checked(exit_code, ran));
            (word(health.status), health.failing_streak)
        };
        checks.iter().map(verdict).collect()
    }

    #[test]
    fn so_many_failures_in_a_row_are_unhealthy_and_one_success_heals() {
        let found = verdicts(&rules(0), &[(1, 0), (0, 10), (1, 20), (-1, 30), (0, 40)]);
        assert_eq!(found, [("starting", 1), ("healthy", 0), ("healthy", 1), ("unhealthy", 2), ("healthy", 0)]);
    }

    #[test]
    fn failures_in_the_start_period_count_only_after_a_success() {
        let found = verdicts(&rules(60), &[(1, 2), (1, 4), (1, 60), (1, 70)]);
        assert_eq!(found, [("starting", 0), ("starting", 0), ("starting", 1), ("unhealthy", 2)]);
        let found = verdicts(&rules(60), &[(0, 2), (1, 4), (1, 6)]);
        assert_eq!(found, [("healthy", 0), ("healthy", 1), ("unhealthy", 2)]);
    }

    #[test]
    fn checks_come_faster_in_the_start_period() {
        let (rules, starting, healthy) = (rules(25), HealthStatus::Starting, HealthStatus::Healthy);
        let wait = |ran, status| rules.wait(Duration::from_secs(ran), status).as_secs();
        assert_eq!([wait(0, starting), wait(4, starting), wait(0, healthy)], [2, 2, 10]);
        assert_eq!([wait(24, starting), wait(25, starting), wait(99, healthy)], [2, 10, 10]);
    }

    #[test]
    fn five_checks_are_remembered() {
        let mut health = Health::default();
        (0..9).for_each(|at| health.note(&rules(0), checked(at, 0)));
        assert_eq!(health.log.iter().map(|checked| checked.exit_code).collect::<Vec<_>>(), [4, 5, 6, 7, 8]);
    }
}
