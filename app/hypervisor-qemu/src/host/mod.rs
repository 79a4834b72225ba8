//! What this host has.
//!
//! * [`executable`] — QEMU and vhost-device-vsock: where they are, which version.
//! * [`kvm`] — whether KVM is there, and what is known of whether it runs a guest.
//! * `tsc` — how fast the counter runs that a guest under TCG tells time by.

use cove_machine::hypervisor::{Check, Verdict};

pub mod executable;
pub mod kvm;
pub(crate) mod tsc;

/// A check with nothing to do.
pub(crate) fn fine(name: &str, finding: String) -> Check {
    Check { name: name.to_owned(), verdict: Verdict::Ok, finding, fix: String::new() }
}

/// A drawback and what helps.
pub(crate) fn warning(name: &str, finding: String, fix: &str) -> Check {
    Check { name: name.to_owned(), verdict: Verdict::Warning, finding, fix: fix.to_owned() }
}

/// What keeps a machine from starting and what helps.
pub(crate) fn problem(name: &str, finding: String, fix: &str) -> Check {
    Check { name: name.to_owned(), verdict: Verdict::Problem, finding, fix: fix.to_owned() }
}
