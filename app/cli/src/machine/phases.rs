//! The way of a machine into its next run, step by step before the user's eyes.

use std::{io::IsTerminal as _, time::Instant};

use cove_proto::v1::{MachineState, StartPhase, WatchMachineRequest};
use tonic::{Response, Status};

use crate::{
    engine::Engine,
    failure::Failure,
    output::{self, Paint},
};

/// The steps, each shown when it is over; on a terminal also while it lasts.
pub(super) struct Phases {
    show: bool,
    live: bool,
    paint: Paint,
    /// What is waited for.
    step: Option<&'static str>,
    since: Instant,
}

impl Phases {
    pub(super) fn new(show: bool) -> Self {
        Self {
            show,
            live: show && std::io::stderr().is_terminal(),
            paint: Paint::of_stderr(),
            step: None,
            since: Instant::now(),
        }
    }

    /// Waits for the answer to a call that starts the machine, and shows meanwhile how far it is.
    pub(super) async fn follow<T>(
        &mut self,
        engine: &Engine,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Failure> {
        let mut states = engine.machine().watch_machine(WatchMachineRequest::default()).await?.into_inner();
        tokio::pin!(call);
        let answer = loop {
            tokio::select! {
                // The answer comes last, so what the watch has to say about the way there goes first.
                biased;
                state = states.message() => match state {
                    Ok(Some(state)) => {
                        let status = state.status.unwrap_or_default();
                        self.enter(status.state(), status.phase());
                    }
                    // The answer says why.
                    Ok(None) | Err(_) => break call.await,
                },
                answer = &mut call => break answer,
            }
        };
        match answer {
            Ok(answer) => {
                self.enter(MachineState::Running, StartPhase::Unspecified);
                Ok(answer.into_inner())
            }
            Err(status) => {
                self.fail();
                Err(status.into())
            }
        }
    }

    /// Notes a state that the watch told of.
    fn enter(&mut self, state: MachineState, phase: StartPhase) {
        let next = step(state, phase);
        if next == self.step {
            return;
        }
        if let Some(done) = self.step {
            if is_on_the_way(done, state) { self.tick(done) } else { self.fail() }
        }
        self.step = next;
        if let Some(step) = next {
            self.since = Instant::now();
            if self.live {
                eprint_now(&self.paint.faint(&format!("  … {step}")));
            }
        }
    }

    /// Shows something that is done.
    pub(super) fn tick(&mut self, done: &str) {
        let took = output::seconds(self.since.elapsed());
        self.line(&format!("  {} {done:<26}{}", self.paint.good("✓"), self.paint.faint(&format!("{took:>9}"))));
        self.since = Instant::now();
    }

    fn fail(&mut self) {
        if let Some(step) = self.step.take() {
            self.line(&format!("  {} {step}", self.paint.bad("✗")));
        }
    }

    fn line(&self, line: &str) {
        if self.live {
            eprint_now("\r\x1b[K");
        }
        if self.show {
            output::aside(line);
        }
    }
}

const STOPPED: &str = "machine stopped";

/// What is waited for in a state.
fn step(state: MachineState, phase: StartPhase) -> Option<&'static str> {
    match state {
        MachineState::Stopping => Some(STOPPED),
        MachineState::Starting => Some(match phase {
            StartPhase::Unspecified => "the machine",
            StartPhase::Prepare => "host and files checked",
            StartPhase::Vmm => "virtual machine made",
            StartPhase::Kernel => "Linux kernel up",
            StartPhase::Agent => "agent answers",
        }),
        MachineState::Unspecified | MachineState::Stopped | MachineState::Running | MachineState::Failed => None,
    }
}

/// Whether what was waited for has come about, if this state follows.
fn is_on_the_way(step: &str, state: MachineState) -> bool {
    match state {
        MachineState::Starting | MachineState::Running => true,
        MachineState::Stopped => step == STOPPED,
        MachineState::Unspecified | MachineState::Stopping | MachineState::Failed => false,
    }
}

/// Writes a part of a line, at once.
fn eprint_now(text: &str) {
    use std::io::Write as _;
    // With standard error gone there is nobody left to tell.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(states: &[(MachineState, StartPhase)]) -> Vec<(&'static str, bool)> {
        let mut told = Vec::new();
        for pair in states.windows(2) {
            let (before, after) = (step(pair[0].0, pair[0].1), step(pair[1].0, pair[1].1));
            if let Some(done) = before.filter(|_| before != after) {
                told.push((done, is_on_the_way(done, pair[1].0)));
            }
        }
        told
    }

    #[test]
    fn a_restart_is_an_end_and_a_beginning() {
        let none = StartPhase::Unspecified;
        let way = [
            (MachineState::Running, none),
            (MachineState::Stopping, none),
            (MachineState::Stopped, none),
            (MachineState::Starting, StartPhase::Prepare),
            (MachineState::Starting, StartPhase::Vmm),
            (MachineState::Running, none),
        ];
        assert_eq!(
            told(&way),
            [("machine stopped", true), ("host and files checked", true), ("virtual machine made", true)]
        );
    }

    #[test]
    fn a_start_that_is_stopped_or_fails_has_not_come_about() {
        for end in [MachineState::Stopping, MachineState::Stopped, MachineState::Failed] {
            let way = [(MachineState::Starting, StartPhase::Kernel), (end, StartPhase::Unspecified)];
            assert_eq!(told(&way), [("Linux kernel up", false)]);
        }
    }
}
