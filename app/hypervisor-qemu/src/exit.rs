//! How a machine ended, from what was seen of it. Pure.
//!
//! With `-no-reboot` QEMU ends at each of these; its SHUTDOWN event gives the reason. A panic is a reset to QEMU
//! (`panic=-1`) unless pvpanic reported it, whose driver is a module: an early panic is known by the console alone.

use cove_machine::hypervisor::Exit;

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The reason of QMP's SHUTDOWN event.
    pub(crate) shutdown: Option<String>,
    /// QMP's GUEST_PANICKED came.
    pub(crate) panicked: bool,
    /// The console's end has the kernel's words for a panic.
    pub(crate) panic_on_console: bool,
    /// The host's disk failed at least once.
    pub(crate) disk_failed: bool,
    /// A kill was asked for.
    pub(crate) killed: bool,
    /// vhost-device-vsock ended while QEMU ran; what is known about it.
    pub(crate) vsock_ended: Option<String>,
    /// How QEMU's process ended, and the last it said.
    pub(crate) qemu_ended: String,
}

/// How it ended.
pub(crate) fn classify(seen: Seen) -> Exit {
    match seen.shutdown.as_deref() {
        Some("guest-shutdown") => return Exit::PowerOff,
        Some("guest-panic") => return Exit::Panic,
        _ if seen.panicked || seen.panic_on_console => return Exit::Panic,
        Some("guest-reset") => return Exit::Reset,
        _ => {}
    }
    if seen.killed {
        return Exit::Forced;
    }
    Exit::VmmDied(match seen.vsock_ended {
        Some(how) => format!("vhost-device-vsock {how}"),
        None => format!("QEMU {}", seen.qemu_ended),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(shutdown: &str) -> Seen {
        let shutdown = (!shutdown.is_empty()).then(|| shutdown.to_owned());
        Seen { shutdown, qemu_ended: "signal 9".to_owned(), ..Seen::default() }
    }

    #[test]
    fn each_reason_has_its_class() {
        assert_eq!(classify(seen("guest-shutdown")), Exit::PowerOff);
        assert_eq!(classify(seen("guest-panic")), Exit::Panic);
        assert_eq!(classify(seen("guest-reset")), Exit::Reset);
        assert_eq!(classify(seen("host-signal")), Exit::VmmDied("QEMU signal 9".to_owned()));
        assert_eq!(classify(seen("")), Exit::VmmDied("QEMU signal 9".to_owned()));
    }

    #[test]
    fn an_early_panic_is_no_reset() {
        assert_eq!(classify(Seen { panic_on_console: true, ..seen("guest-reset") }), Exit::Panic);
        assert_eq!(classify(Seen { panicked: true, ..seen("guest-reset") }), Exit::Panic);
    }

    #[test]
    fn a_kill_is_force_unless_the_guest_was_quicker() {
        assert_eq!(classify(Seen { killed: true, ..seen("") }), Exit::Forced);
        assert_eq!(classify(Seen { killed: true, ..seen("guest-shutdown") }), Exit::PowerOff);
    }

    #[test]
    fn a_lost_vsock_is_named() {
        let seen = Seen { vsock_ended: Some("exit status: 1".to_owned()), ..seen("") };
        assert_eq!(classify(seen), Exit::VmmDied("vhost-device-vsock exit status: 1".to_owned()));
    }
}
