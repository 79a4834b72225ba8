//! What a waiting person reads: one line per step, on standard error.

use std::io::{self, Write};

/// Says what is being done now.
pub fn step(what: &str) {
    // Progress that nobody can read is no reason to stop.
    let _ = writeln!(io::stderr(), "vm-image: {what}");
}
