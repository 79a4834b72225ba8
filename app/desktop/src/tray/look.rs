//! From what the link says to what is seen.

use super::{
    icons::{Kind, Step},
    words::Words,
};
use crate::{
    link::Connection,
    wire::machine::{Machine, MachineStatus},
};

/// What is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) icon: Kind,
    /// The tooltip and the menu's first line.
    pub(super) text: String,
    pub(super) can_start: bool,
    pub(super) can_stop: bool,
    pub(super) can_restart: bool,
}

impl Look {
    pub(super) fn of(connection: &Connection, machine: Option<&Machine>, running: usize, words: &Words) -> Self {
        match (connection, machine) {
            (Connection::Lost(failure), _) => Self {
                icon: Kind::Failed,
                text: format!("{}: {}", words.lost, short(&failure.why)),
                can_start: true,
                can_stop: false,
                can_restart: false,
            },
            (Connection::Connecting, _) | (Connection::Connected(_), None) => {
                let text = words.connecting.to_owned();
                Self { icon: Kind::Stopped, text, can_start: false, can_stop: false, can_restart: false }
            }
            (Connection::Connected(_), Some(machine)) => Self::of_machine(&machine.status, running, words),
        }
    }

    fn of_machine(status: &MachineStatus, running: usize, words: &Words) -> Self {
        let look = |icon, text, can_start, can_stop, can_restart| Self { icon, text, can_start, can_stop, can_restart };
        match status.state.as_str() {
            "running" => look(Kind::Running, words.running(running), false, true, true),
            "starting" => {
                let (step, phase) = match status.phase.as_str() {
                    "vmm" => (Step::Vmm, words.vmm),
                    "kernel" => (Step::Kernel, words.kernel),
                    "agent" => (Step::Agent, words.agent),
                    _ => (Step::Prepare, words.prepare),
                };
                look(Kind::Starting(step), format!("{}: {phase}", words.starting), false, true, false)
            }
            "stopping" => look(Kind::Starting(Step::Prepare), words.stopping.to_owned(), false, false, false),
            "failed" => {
                // The second line is the reason; the first says only that it failed.
                let reason = status.failure.lines().nth(1).or(status.failure.lines().next()).unwrap_or_default();
                look(Kind::Failed, format!("{}: {}", words.failed, short(reason)), true, false, false)
            }
            _ => look(Kind::Stopped, words.stopped.to_owned(), true, false, false),
        }
    }
}

/// What fits into a tooltip, which Windows cuts at 127.
fn short(text: &str) -> String {
    const MOST: usize = 90;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(state: &str, phase: &str, failure: &str) -> Look {
        let mut status = MachineStatus::default();
        (status.state, status.phase, status.failure) = (state.to_owned(), phase.to_owned(), failure.to_owned());
        Look::of_machine(&status, 2, &super::super::words::ENGLISH)
    }

    #[test]
    fn a_running_machine_counts_its_containers() {
        let look = look("running", "", "");
        assert_eq!((look.icon, look.text.as_str()), (Kind::Running, "Machine runs, 2 containers"));
        assert!(!look.can_start && look.can_stop && look.can_restart);
    }

    #[test]
    fn a_start_says_its_phase() {
        let look = look("starting", "kernel", "");
        assert_eq!((look.icon, look.text.as_str()), (Kind::Starting(Step::Kernel), "Machine starts: Linux kernel"));
    }

    #[test]
    fn a_failure_says_its_reason_and_can_be_tried_again() {
        let look = look("failed", "", "the machine did not start (phase prepare)\nQEMU is missing\ninstall it");
        assert_eq!((look.icon, look.text.as_str()), (Kind::Failed, "Machine failed: QEMU is missing"));
        assert!(look.can_start);
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        assert_eq!(short(&"가".repeat(200)).chars().count(), 91);
    }
}
