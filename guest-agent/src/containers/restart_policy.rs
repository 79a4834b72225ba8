//! Whether a container whose program has ended is started again, and when: dockerd's rules and its back-off.
//!
//! ```text
//!                 ends, the policy says again           the delay is over
//! running ──────────────────────────────────► restarting ────────────────► running
//!                                                 │ stop, kill                │ it cannot be started
//!                                                 ▼                           ▼
//!                                              stopped                      exited
//! ```

use std::sync::atomic::Ordering;

use tokio::time::{Duration, Instant};

use cove_proto::v1::{RestartPolicy, RestartPolicyKind};

use super::{
    actor::{Actor, By, Life},
    record::{Phase, Record},
};

/// The first delay.
const FIRST: Duration = Duration::from_millis(100);
/// The longest; until then each is twice the one before.
const LONGEST: Duration = Duration::from_secs(60);
/// A run of this length was a good one: the delays begin anew.
const GOOD_RUN: Duration = Duration::from_secs(10);

/// How a run ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) exit_code: i32,
    /// Whether somebody sent it a signal.
    pub(super) by_hand: bool,
    /// How long it ran.
    pub(super) ran: Duration,
}

/// What is remembered from one end to the next. A start by hand begins anew.
#[derive(Debug, Default)]
pub(super) struct Restarts {
    delay: Option<Duration>,
    cancelled: bool,
}

impl Restarts {
    /// Somebody wants it to end: this time the policy has no say.
    pub(super) fn cancel(&mut self) {
        self.cancelled = true;
    }

    /// How long to wait before it is started again; `None` if it is not.
    pub(super) fn delay(&mut self, policy: Option<&RestartPolicy>, so_far: u32, end: End) -> Option<Duration> {
        let next = match self.delay {
            Some(delay) if end.ran < GOOD_RUN => (delay * 2).min(LONGEST),
            _ => FIRST,
        };
        self.delay = Some(next);
        (!self.cancelled && applies(policy, so_far, end.exit_code, end.by_hand)).then_some(next)
    }
}

/// Whether a policy starts a container again that ended so and was restarted so often.
fn applies(policy: Option<&RestartPolicy>, so_far: u32, exit_code: i32, by_hand: bool) -> bool {
    let Some(policy) = policy else { return false };
    match policy.kind() {
        RestartPolicyKind::Unspecified | RestartPolicyKind::No => false,
        RestartPolicyKind::Always => true,
        RestartPolicyKind::UnlessStopped => !by_hand,
        RestartPolicyKind::OnFailure => {
            let most = policy.maximum_retry_count;
            exit_code != 0 && (most == 0 || so_far < most)
        }
    }
}

/// Whether a container that does not run is started when the machine boots.
pub(super) fn starts_at_boot(record: &Record) -> bool {
    let state = &record.state;
    let by_hand = match state.phase {
        Phase::Stopped => true,
        Phase::Idle | Phase::Restarting => false,
        Phase::Starting { .. } | Phase::Running { .. } | Phase::Removing | Phase::Dead => return false,
    };
    let ran = state.started_at != 0;
    ran && applies(record.spec.restart_policy.as_ref(), record.restart_count, state.exit_code, by_hand)
}

impl Actor {
    /// The delay is over.
    pub(super) async fn restart_now(&mut self) -> Life {
        self.restart_at = None;
        if self.engine.shutting_down.load(Ordering::SeqCst) {
            // The record says that it restarts; the next boot sees to it.
            return Life::Goes;
        }
        match self.launch().await {
            Ok(program) => {
                self.started(program);
                Life::Goes
            }
            Err(failed) => {
                tracing::warn!(container = %self.record.id, error = &failed.error as &dyn std::error::Error,
                    "a container cannot be restarted");
                self.failed_to_start(&failed).await
            }
        }
    }

    /// It is to be started now: the machine boots, or an earlier agent ended while it waited.
    pub(super) fn restart_at_once(&mut self) {
        self.record.state.phase = Phase::Restarting;
        self.restart_at = Some(Instant::now());
        self.publish();
    }

    /// Starts it no more, if it was about to be; says whether it was.
    pub(super) async fn give_up_restart(&mut self, by: By) -> bool {
        if self.restart_at.take().is_none() {
            return false;
        }
        self.record.state.phase = Phase::Stopped;
        self.engine.networks.unpublish(&self.record.id).await;
        if let Err(error) = self.save().await {
            tracing::error!(container = %self.record.id, error = &error as &dyn std::error::Error,
                "the end of a container cannot be written down");
        }
        self.publish();
        if by == By::Stop {
            self.tell("stop");
        }
        self.notify_end();
        true
    }
}

/// Comes true when it is time to restart; never if that is not planned.
pub(super) async fn due(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(kind: RestartPolicyKind, maximum_retry_count: u32) -> RestartPolicy {
        RestartPolicy { kind: kind.into(), maximum_retry_count }
    }

    fn end(exit_code: i32, by_hand: bool, seconds: u64) -> End {
        End { exit_code, by_hand, ran: Duration::from_secs(seconds) }
    }

    #[test]
    fn delays_double_to_a_minute_and_begin_anew_after_a_good_run() {
        let always = policy(RestartPolicyKind::Always, 0);
        let mut restarts = Restarts::default();
        let mut delays = |seconds, times| -> Vec<u128> {
            let delay = |_| restarts.delay(Some(&always), 0, end(0, false, seconds)).unwrap().as_millis();
            (0..times).map(delay).collect()
        };
        assert_eq!(delays(9, 12), [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000]);
        assert_eq!(delays(10, 2), [100, 100]);
        assert_eq!(delays(0, 2), [200, 400]);
    }

    #[test]
    fn policies_follow_mobys_table() {
        use RestartPolicyKind as P;
        for (kind, most, so_far, exit_code, by_hand, again) in [
            (P::No, 0, 0, 1, false, false),
            (P::Unspecified, 0, 0, 1, false, false),
            (P::Always, 0, 9, 0, false, true),
            (P::Always, 0, 0, 137, true, true),
            (P::UnlessStopped, 0, 0, 0, false, true),
            (P::UnlessStopped, 0, 0, 0, true, false),
            (P::OnFailure, 0, 99, 1, false, true),
            (P::OnFailure, 0, 0, 0, false, false),
            (P::OnFailure, 3, 2, 1, false, true),
            (P::OnFailure, 3, 3, 1, false, false),
        ] {
            let delay = Restarts::default().delay(Some(&policy(kind, most)), so_far, end(exit_code, by_hand, 0));
            assert_eq!(delay.is_some(), again, "{kind:?} {most} {so_far} {exit_code} {by_hand}");
        }
        assert!(Restarts::default().delay(None, 0, end(1, false, 0)).is_none());
    }

    #[test]
    fn who_wants_it_to_end_wins_over_the_policy() {
        let mut restarts = Restarts::default();
        restarts.cancel();
        assert!(restarts.delay(Some(&policy(RestartPolicyKind::Always, 0)), 0, end(1, false, 0)).is_none());
    }
}
