//! Commands about the virtual machine.

pub(crate) mod doctor;
pub(crate) mod log;
pub(crate) mod start;
pub(crate) mod status;
pub(crate) mod stop;

use cove_proto::v1::{MachineState, StartPhase};

/// The state in a word.
pub(crate) fn state_word(state: MachineState) -> &'static str {
    match state {
        MachineState::Unspecified => "unknown",
        MachineState::Stopped => "stopped",
        MachineState::Starting => "starting",
        MachineState::Running => "running",
        MachineState::Stopping => "stopping",
        MachineState::Failed => "failed",
    }
}

/// What a phase of a start waits for.
fn phase_words(phase: StartPhase) -> &'static str {
    match phase {
        StartPhase::Unspecified => "the machine",
        StartPhase::Prepare => "host and files checked",
        StartPhase::Vmm => "virtual machine made",
        StartPhase::Kernel => "Linux kernel up",
        StartPhase::Agent => "agent answers",
    }
}
