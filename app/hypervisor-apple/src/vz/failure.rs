//! VZ's errors as text: what failed, why, and the domain and code that a search finds.

use cove_machine::hypervisor::HypervisorError;
use objc2_foundation::NSError;

/// How deep errors below errors are followed.
const DEPTH: usize = 4;

/// What an error says, with what lies below it.
pub(crate) fn text(error: &NSError) -> String {
    let mut text = one(error);
    let mut below = error.underlyingErrors().firstObject();
    for _ in 0..DEPTH {
        let Some(error) = below else { break };
        text.push_str(": ");
        text.push_str(&one(&error));
        below = error.underlyingErrors().firstObject();
    }
    text
}

fn one(error: &NSError) -> String {
    let description = error.localizedDescription().to_string();
    let code = format!("{} {}", error.domain(), error.code());
    match error.localizedFailureReason().map(|reason| reason.to_string()) {
        // The description mostly contains the reason.
        Some(reason) if !description.contains(&reason) => format!("{description} {reason} ({code})"),
        _ => format!("{description} ({code})"),
    }
}

/// An operation that failed.
pub(crate) fn failed(operation: &str, cause: &dyn std::fmt::Display) -> HypervisorError {
    HypervisorError::Operation { operation: operation.to_owned(), cause: cause.to_string() }
}
