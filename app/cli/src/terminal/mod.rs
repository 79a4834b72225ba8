//! What differs between systems at the terminal: raw mode, its size and changes of it, and signals to pass on.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::io;

use cove_proto::v1::TerminalSize;

#[cfg(unix)]
use self::unix as imp;
#[cfg(windows)]
use self::windows as imp;

pub(crate) use self::imp::{Resizes, Signals, end_process, understands_escapes};

/// The size of the terminal; `None` when there is none.
pub(crate) fn size() -> Option<TerminalSize> {
    let (columns, rows) = crossterm::terminal::size().ok()?;
    (rows > 0 && columns > 0).then_some(TerminalSize { rows: rows.into(), columns: columns.into() })
}

/// The terminal hands over each key as it is pressed, for as long as this lives.
#[derive(Debug)]
pub(crate) struct RawMode(());

impl RawMode {
    /// Switches it on.
    ///
    /// # Errors
    /// What the system says about the terminal.
    pub(crate) fn enter() -> io::Result<Self> {
        crossterm::terminal::enable_raw_mode().map(Self)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // The terminal may be gone by now, and its mode with it.
        let _ = crossterm::terminal::disable_raw_mode();
    }
}
