//! Commands about the virtual machine.

pub(crate) mod doctor;
pub(crate) mod log;
mod phases;
pub(crate) mod restart;
pub(crate) mod settings;
pub(crate) mod start;
pub(crate) mod status;
pub(crate) mod stop;

use cove_proto::v1::MachineState;

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
