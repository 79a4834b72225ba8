//! How a machine ended, from what was seen of it. Pure.
//!
//! HCS's exit event carries JSON: `{"Status": 0, "ExitType": "GracefulExit", "Attribution": [{"WorkerExit": {"Type":
//! "Stopped", "Detail": "PowerOff", "Initiator": "GuestOS"}}]}` (Microsoft's HCS schema, SystemExitStatus and WorkerExit).
//! Older builds leave the attribution out, so a panic is known by the crash event and the console as well.

use cove_machine::hypervisor::Exit;
use serde::Deserialize;

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The document of the exit event.
    pub status: Option<String>,
    /// The guest reported a crash.
    pub crashed: bool,
    /// The console has the kernel's words for a panic.
    pub panic_on_console: bool,
    /// A kill was asked for.
    pub killed: bool,
    /// The service went away, and the machine with it.
    pub disconnected: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Status {
    exit_type: String,
    attribution: Vec<Attribution>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Attribution {
    worker_exit: Option<WorkerExit>,
    guest_crash: Option<serde_json::Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WorkerExit {
    r#type: String,
    detail: String,
}

impl Status {
    fn has(&self, holds: impl Fn(&WorkerExit) -> bool) -> bool {
        self.attribution.iter().filter_map(|a| a.worker_exit.as_ref()).any(holds)
    }

    fn crash(&self) -> bool {
        self.attribution.iter().any(|a| a.guest_crash.is_some())
            || self.has(|worker| matches!(worker.detail.as_str(), "GuestCrash" | "TripleFault"))
    }

    fn reset(&self) -> bool {
        self.has(|worker| worker.r#type == "StoppedOnReset" || worker.detail == "Reset")
    }
}

/// How it ended.
#[must_use]
pub fn classify(seen: &Seen) -> Exit {
    let text = seen.status.as_deref().unwrap_or_default();
    let status: Status = serde_json::from_str(text).unwrap_or_default();
    if seen.crashed || seen.panic_on_console || status.crash() {
        return Exit::Panic;
    }
    if status.reset() {
        return Exit::Reset;
    }
    if status.exit_type == "GracefulExit" {
        return Exit::PowerOff;
    }
    if seen.killed {
        return Exit::Forced;
    }
    Exit::VmmDied(match (seen.disconnected, text) {
        (true, _) => "the Host Compute Service went away".to_owned(),
        (false, "") => "Hyper-V ended it without a word".to_owned(),
        (false, text) => format!("Hyper-V ended it: {text}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(status: &str) -> Seen {
        Seen { status: Some(status.to_owned()), ..Seen::default() }
    }

    fn worker(exit: &str, kind: &str, detail: &str) -> Seen {
        let worker = format!(r#"{{"WorkerExit":{{"ExitCode":0,"Type":"{kind}","Detail":"{detail}"}}}}"#);
        seen(&format!(r#"{{"Status":0,"ExitType":"{exit}","Attribution":[{worker}]}}"#))
    }

    #[test]
    fn each_document_has_its_class() {
        assert_eq!(classify(&seen(r#"{"Status":0,"ExitType":"GracefulExit"}"#)), Exit::PowerOff);
        assert_eq!(classify(&worker("GracefulExit", "Stopped", "PowerOff")), Exit::PowerOff);
        assert_eq!(classify(&worker("GracefulExit", "StoppedOnReset", "Reset")), Exit::Reset);
        assert_eq!(classify(&worker("UnexpectedExit", "UnexpectedStop", "TripleFault")), Exit::Panic);
        assert_eq!(classify(&seen(r#"{"ExitType":"UnexpectedExit","Attribution":[{"GuestCrash":{}}]}"#)), Exit::Panic);
    }

    #[test]
    fn a_panic_is_no_reset_even_if_hyper_v_saw_only_that() {
        let reset = worker("GracefulExit", "StoppedOnReset", "Reset");
        assert_eq!(classify(&Seen { panic_on_console: true, ..reset.clone() }), Exit::Panic);
        assert_eq!(classify(&Seen { crashed: true, ..reset }), Exit::Panic);
    }

    #[test]
    fn a_kill_is_force_unless_the_guest_was_quicker() {
        let forced = seen(r#"{"Status":0,"ExitType":"ForcedExit"}"#);
        assert_eq!(classify(&Seen { killed: true, ..forced }), Exit::Forced);
        assert_eq!(classify(&Seen { killed: true, ..Seen::default() }), Exit::Forced);
        let graceful = seen(r#"{"Status":0,"ExitType":"GracefulExit"}"#);
        assert_eq!(classify(&Seen { killed: true, ..graceful }), Exit::PowerOff);
    }

    #[test]
    fn what_is_not_understood_is_told_as_it_came() {
        assert_eq!(classify(&seen("nonsense")), Exit::VmmDied("Hyper-V ended it: nonsense".to_owned()));
        let gone = Seen { disconnected: true, ..Seen::default() };
        assert_eq!(classify(&gone), Exit::VmmDied("the Host Compute Service went away".to_owned()));
    }
}
