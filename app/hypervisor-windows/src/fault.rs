//! What Windows refused, and what a person can do about it. Pure.

use std::fmt;

use cove_machine::hypervisor::{Check, HypervisorError, Verdict};
use serde::Deserialize;

/// Longer explanations are cut: they go into one line for people.
const MAX_EXPLANATION: usize = 2000;

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What was tried: "create the machine".
    pub operation: String,
    /// The HRESULT.
    pub code: i32,
    /// HCS's own account of it, JSON; empty if it gave none.
    pub document: String,
}

/// The HRESULTs that are about the host and not about the call, as unsigned numbers the way they are looked up.
mod code {
    pub(super) const ACCESS_DENIED: u32 = 0x8007_0005;
    pub(super) const HCS_ACCESS_DENIED: u32 = 0x8037_011b;
    pub(super) const HYPERV_NOT_INSTALLED: u32 = 0x8037_0102;
    pub(super) const SERVICE_NOT_AVAILABLE: u32 = 0x8037_0114;
    pub(super) const SERVICE_DISABLED: u32 = 0x8007_0422;
}

impl Fault {
    /// As a check with its fix, if it is about the host.
    #[must_use]
    pub fn check(&self) -> Option<Check> {
        let told = format!("{} ({:#010x})", self.operation, self.code.cast_unsigned());
        match self.code.cast_unsigned() {
            code::ACCESS_DENIED | code::HCS_ACCESS_DENIED => Some(problem(
                "hyper-v.privilege",
                format!("Windows does not let this user work with virtual machines: could not {told}"),
                "in a terminal run as administrator: net localgroup \"Hyper-V Administrators\" \"%USERNAME%\" /add; then \
                 sign out and in again",
            )),
            code::HYPERV_NOT_INSTALLED => Some(problem(
                "hyper-v.hypervisor",
                format!("Windows' hypervisor does not run: could not {told}"),
                "turn on virtualization in the computer's firmware and, in a terminal run as administrator: bcdedit /set \
                 hypervisorlaunchtype auto; then restart",
            )),
            code::SERVICE_NOT_AVAILABLE | code::SERVICE_DISABLED => {
                Some(no_service(format!("the Host Compute Service does not answer: could not {told}")))
            }
            _ => None,
        }
    }
}

/// The library or the service is not there: one feature of Windows brings both.
#[must_use]
pub fn no_service(finding: String) -> Check {
    problem(
        "hyper-v.feature",
        finding,
        "in a terminal run as administrator: dism /online /enable-feature /all /featurename:VirtualMachinePlatform; then \
         restart",
    )
}

fn problem(name: &str, finding: String, fix: &str) -> Check {
    Check { name: name.to_owned(), verdict: Verdict::Problem, finding, fix: fix.to_owned() }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.code.cast_unsigned())?;
        match explanation(&self.document) {
            text if text.is_empty() => Ok(()),
            text => write!(f, ": {text}"),
        }
    }
}

impl From<Fault> for HypervisorError {
    fn from(fault: Fault) -> Self {
        match fault.check() {
            Some(check) => Self::Host(vec![check]),
            None => Self::Operation { cause: fault.to_string(), operation: fault.operation },
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Account {
    error_message: String,
    error_events: Vec<Event>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Event {
    message: String,
}

/// The sentences of HCS's document; the document itself if they are not found.
fn explanation(document: &str) -> String {
    let account: Account = serde_json::from_str(document).unwrap_or_default();
    let events = account.error_events.into_iter().map(|event| event.message);
    let sentences: Vec<String> = std::iter::once(account.error_message)
        .chain(events)
        .map(|sentence| sentence.trim().to_owned())
        .filter(|sentence| !sentence.is_empty())
        .collect();
    let whole = if sentences.is_empty() { document.trim().to_owned() } else { sentences.join("; ") };
    whole.chars().take(MAX_EXPLANATION).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(code: u32, document: &str) -> Fault {
        Fault { operation: "create the machine".to_owned(), code: code.cast_signed(), document: document.to_owned() }
    }

    #[test]
    fn the_error_document_is_in_the_error() {
        let document = r#"{"Error":-2143878899,"ErrorMessage":"Invalid JSON document.","ErrorEvents":[{"Message":"The field Foo is unknown."}]}"#;
        let error = HypervisorError::from(fault(0x8037_010d, document));
        assert_eq!(
            error.to_string(),
            "create the machine: 0x8037010d: Invalid JSON document.; The field Foo is unknown."
        );
        let error = HypervisorError::from(fault(0x8037_010d, "no JSON"));
        assert_eq!(error.to_string(), "create the machine: 0x8037010d: no JSON");
        assert_eq!(HypervisorError::from(fault(0x8000_4005, "")).to_string(), "create the machine: 0x80004005");
    }

    #[test]
    fn a_refused_privilege_is_a_problem_of_the_host_with_its_fix() {
        for code in [code::ACCESS_DENIED, code::HCS_ACCESS_DENIED] {
            let HypervisorError::Host(checks) = HypervisorError::from(fault(code, "")) else {
                unreachable!("{code:#x} is about the host")
            };
            assert_eq!(checks[0].name, "hyper-v.privilege");
            assert!(checks[0].fix.contains("Hyper-V Administrators"), "{checks:?}");
        }
    }

    #[test]
    fn a_missing_hypervisor_and_a_missing_service_have_fixes_of_their_own() {
        assert_eq!(fault(code::HYPERV_NOT_INSTALLED, "").check().unwrap().name, "hyper-v.hypervisor");
        assert!(fault(code::SERVICE_NOT_AVAILABLE, "").check().unwrap().fix.contains("VirtualMachinePlatform"));
    }

    #[test]
    fn an_endless_document_is_cut() {
        assert!(fault(1, &"x".repeat(1 << 20)).to_string().len() < 2100);
    }
}
