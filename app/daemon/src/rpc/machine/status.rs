//! The machine's status on the wire.

use cove_machine::{Phase, State, Status, hypervisor::Exit};
use cove_proto::v1::{ExitClass, MachineState, MachineStatus, StartPhase};

/// The status on the wire.
pub(super) fn encode(status: &Status) -> MachineStatus {
    let (phase, failure, console_tail) = match &status.state {
        State::Starting(phase) => (encode_phase(*phase), String::new(), String::new()),
        State::Failed(failure) => (StartPhase::Unspecified, failure.to_string(), failure.console_tail.clone()),
        State::Stopped | State::Running | State::Stopping => (StartPhase::Unspecified, String::new(), String::new()),
    };
    MachineStatus {
        state: encode_state(&status.state).into(),
        phase: phase.into(),
        failure,
        console_tail,
        since: Some(status.since.into()),
        revision: status.revision,
        last_exit: status.last_exit.as_ref().map_or(ExitClass::Unspecified, encode_exit).into(),
        warnings: status.warnings.clone(),
    }
}

fn encode_state(state: &State) -> MachineState {
    match state {
        State::Stopped => MachineState::Stopped,
        State::Starting(_) => MachineState::Starting,
        State::Running => MachineState::Running,
        State::Stopping => MachineState::Stopping,
        State::Failed(_) => MachineState::Failed,
    }
}

fn encode_phase(phase: Phase) -> StartPhase {
    match phase {
        Phase::Prepare => StartPhase::Prepare,
        Phase::Vmm => StartPhase::Vmm,
        Phase::Kernel => StartPhase::Kernel,
        Phase::Agent => StartPhase::Agent,
    }
}

fn encode_exit(exit: &Exit) -> ExitClass {
    match exit {
        Exit::PowerOff => ExitClass::PowerOff,
        Exit::Panic => ExitClass::Panic,
        Exit::Reset => ExitClass::Reset,
        Exit::Forced => ExitClass::Forced,
        Exit::VmmDied(_) => ExitClass::VmmDied,
    }
}
