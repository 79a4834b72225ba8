//! What people and programs get to read: tables, colours, numbers in words, JSON.

mod numbers;
mod paint;
mod table;

use std::io::{self, Write as _};

use serde::Serialize;

pub(crate) use self::{
    numbers::{age, bytes, cpus, seconds, short_id},
    paint::Paint,
    table::Table,
};

/// For whom output is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs: one JSON document.
    Json,
}

/// Writes text to standard output.
pub(crate) fn text(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Writes one JSON document to standard output.
pub(crate) fn json(value: &impl Serialize) -> io::Result<()> {
    let mut document = serde_json::to_string_pretty(value)?;
    document.push('\n');
    text(&document)
}

/// Writes a line to standard error: what is said beside a command's output.
pub(crate) fn aside(line: &str) {
    // With standard error gone there is nobody left to tell.
    let _ = writeln!(io::stderr(), "{line}");
}
