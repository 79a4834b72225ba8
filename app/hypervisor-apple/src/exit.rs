//! How a machine ended, from what was seen of it. Pure.
//!
//! VZ tells only that a guest stopped, or stopped with an error. What a panic or a reset becomes (a stop, or a boot from
//! the beginning in the same machine) is not documented: the console tells them, and the machine is ended then whatever VZ
//! does.

use cove_machine::hypervisor::Exit;

/// What VZ's delegate was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// The guest stopped the machine.
    ByGuest,
    /// The machine stopped because of an error; its text.
    ByError(String),
}

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// VZ's word.
    pub stopped: Option<Stopped>,
    /// The console has the kernel's words for a panic.
    pub panicked: bool,
    /// The console has the kernel's words for a reset, or PID 1 began a second time.
    pub restarted: bool,
    /// A kill was asked for.
    pub killed: bool,
}

/// How it ended.
#[must_use]
pub fn classify(seen: Seen) -> Exit {
    if seen.panicked {
        return Exit::Panic;
    }
    if seen.restarted {
        return Exit::Reset;
    }
    match seen.stopped {
        Some(Stopped::ByGuest) => Exit::PowerOff,
        _ if seen.killed => Exit::Forced,
        Some(Stopped::ByError(text)) => Exit::VmmDied(format!("Virtualization.framework: {text}")),
        None => Exit::VmmDied("Virtualization.framework let go of the machine".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_guest() -> Seen {
        Seen { stopped: Some(Stopped::ByGuest), ..Seen::default() }
    }

    #[test]
    fn a_stop_by_the_guest_is_what_the_console_says_it_is() {
        assert_eq!(classify(by_guest()), Exit::PowerOff);
        assert_eq!(classify(Seen { restarted: true, ..by_guest() }), Exit::Reset);
        assert_eq!(classify(Seen { panicked: true, restarted: true, ..by_guest() }), Exit::Panic);
    }

    #[test]
    fn a_machine_that_began_anew_was_reset_although_vz_says_nothing() {
        assert_eq!(classify(Seen { restarted: true, ..Seen::default() }), Exit::Reset);
    }

    #[test]
    fn a_kill_is_force_unless_the_guest_was_quicker() {
        assert_eq!(classify(Seen { killed: true, ..Seen::default() }), Exit::Forced);
        assert_eq!(classify(Seen { killed: true, ..by_guest() }), Exit::PowerOff);
        let error = Seen { killed: true, stopped: Some(Stopped::ByError("x".to_owned())), ..Seen::default() };
        assert_eq!(classify(error), Exit::Forced);
    }

    #[test]
    fn an_error_keeps_its_text() {
        let seen = Seen { stopped: Some(Stopped::ByError("internal error".to_owned())), ..Seen::default() };
        assert_eq!(classify(seen), Exit::VmmDied("Virtualization.framework: internal error".to_owned()));
    }
}
