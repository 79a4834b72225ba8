//! Keeps the guest's clock right: the host says the time when the agent is up, every 30 s, and after it has slept.
//!
//! A guest that was not running while the host slept is behind by that time, and nothing inside can know. The wake is
//! seen by comparing two clocks of the host: the time of day goes on while it sleeps, the monotonic one does not on
//! Linux and macOS; on Windows it does, but then the time between two looks is longer than was asked for.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use cove_machine::{Machine, State, hypervisor::Vm};
use cove_proto::v1::{SetClockRequest, guest_client::GuestClient};

use super::{Agent, Connection};

/// How often the host says the time at least.
const EVERY: Duration = Duration::from_secs(30);
/// How often it is looked whether the host has slept. Only while the machine runs.
const LOOK: Duration = Duration::from_secs(5);
/// A difference that no correction of the host's clock in small steps makes.
const JUMP: Duration = Duration::from_millis(500);

/// Keeps the guest's clock right until the machine's task is gone.
pub async fn keep(machine: Machine, agent: Arc<Agent>) {
    let mut status = machine.status();
    loop {
        if status.wait_for(|status| status.state == State::Running).await.is_err() {
            return;
        }
        if let Some(vm) = machine.vm() {
            tokio::select! {
                () = keep_running(&agent, &vm) => {}
                stopped = status.wait_for(|status| status.state != State::Running) => if stopped.is_err() { return },
            }
        }
        agent.pinged(None);
        // The state is written after the machine is taken away; wait for the state.
        if status.wait_for(|status| status.state != State::Running).await.is_err() {
            return;
        }
    }
}

async fn keep_running(agent: &Agent, vm: &Arc<dyn Vm>) {
    let mut connection = None;
    loop {
        match tell(agent, vm, &mut connection).await {
            Ok(round_trip) => agent.pinged(Some(round_trip)),
            Err(error) => {
                tracing::warn!(error, "could not tell the guest the time");
                agent.pinged(None);
            }
        }
        let told = Instant::now();
        let mut looks = Looks::at(SystemTime::now(), told);
        while told.elapsed() < EVERY {
            tokio::time::sleep(LOOK).await;
            if looks.slept(SystemTime::now(), Instant::now()) {
                tracing::info!("the host slept or its clock was set; telling the guest the time");
                break;
            }
        }
    }
}

/// Says the time and how long that took. The connection is kept for the next time.
async fn tell(agent: &Agent, vm: &Arc<dyn Vm>, kept: &mut Option<Connection>) -> Result<Duration, String> {
    let connection = match kept.take().filter(|connection| !connection.is_closed()) {
        Some(connection) => connection,
        None => agent.dial(vm.clone()).await.map_err(|error| crate::rpc::error::chain(&error))?,
    };
    let asked = Instant::now();
    let request = SetClockRequest { host_time: Some(SystemTime::now().into()) };
    let answer = GuestClient::new(connection.clone()).set_clock(request).await;
    let answer = answer.map_err(|status| status.message().to_owned())?.into_inner();
    if answer.stepped {
        tracing::info!(offset_nanos = answer.offset_nanos, "the guest's clock was stepped");
    }
    *kept = Some(connection);
    Ok(asked.elapsed())
}

/// What both clocks said at the last look.
struct Looks {
    day: SystemTime,
    monotonic: Instant,
}

impl Looks {
    fn at(day: SystemTime, monotonic: Instant) -> Self {
        Self { day, monotonic }
    }

    /// Whether the host has slept, or its clock was set, since the last look.
    fn slept(&mut self, day: SystemTime, monotonic: Instant) -> bool {
        let passed = monotonic.duration_since(self.monotonic);
        let difference = match day.duration_since(self.day) {
            Ok(by_day) => by_day.abs_diff(passed),
            Err(backwards) => backwards.duration() + passed,
        };
        *self = Self::at(day, monotonic);
        difference > JUMP || passed > 2 * LOOK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks() -> (Looks, SystemTime, Instant) {
        let (day, monotonic) = (SystemTime::now(), Instant::now());
        (Looks::at(day, monotonic), day, monotonic)
    }

    #[test]
    fn clocks_that_go_alike_are_no_sleep() {
        let (mut looks, day, monotonic) = looks();
        assert!(!looks.slept(day + LOOK, monotonic + LOOK + Duration::from_millis(300)));
        assert!(!looks.slept(day + 2 * LOOK, monotonic + 2 * LOOK));
    }

    #[test]
    fn a_monotonic_clock_that_stood_still_is_a_sleep_seen_once() {
        let (mut looks, day, monotonic) = looks();
        let hour = Duration::from_secs(3600);
        assert!(looks.slept(day + hour, monotonic + LOOK));
        assert!(!looks.slept(day + hour + LOOK, monotonic + 2 * LOOK));
    }

    #[test]
    fn a_clock_set_back_and_a_look_that_came_late_count_too() {
        let (mut looks, day, monotonic) = looks();
        assert!(looks.slept(day - Duration::from_secs(60), monotonic + LOOK));
        assert!(looks.slept(day + Duration::from_secs(3600), monotonic + LOOK + Duration::from_secs(3660)));
    }
}
