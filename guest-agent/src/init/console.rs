//! The console: lines that the host waits for, each with the same beginning. The kernel gives PID 1 its console as the
//! standard streams.

use std::io::Write;

/// Says a line.
pub(super) fn say(line: &str) {
    // One write, so that no line of the kernel comes in between. When the console is gone nobody reads.
    let _ = std::io::stderr().write_all(format!("cove-guest: {line}\n").as_bytes());
}

/// Says why the guest ends, with all causes on one line.
pub(super) fn fatal(error: &dyn std::error::Error) {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    say(&format!("fatal: {text}"));
}
