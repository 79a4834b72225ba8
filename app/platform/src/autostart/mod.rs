//! Whether a program of this user starts when they log in. There is one entry per user, named [`LABEL`]; the system keeps
//! it, so it is asked for and never remembered.
//!
//! * `linux`, `macos` — what the entry says and where it lies.
//! * `entry` — writing and removing that file.
//! * `windows` — a value in the registry.

#[cfg(unix)]
mod entry;
// What the entries say is tested on either system.
#[cfg(unix)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "another system's"))]
mod linux;
#[cfg(unix)]
#[cfg_attr(not(target_os = "macos"), expect(dead_code, reason = "another system's"))]
mod macos;
#[cfg(windows)]
mod windows;

use std::{io, path::Path};

#[cfg(target_os = "linux")]
use self::linux as system;
#[cfg(target_os = "macos")]
use self::macos as system;

/// The name of the entry.
pub const LABEL: &str = "dev.cove.desktop";

/// Whether the entry is there and switched on.
///
/// # Errors
/// If it cannot be read.
pub fn is_enabled() -> io::Result<bool> {
    imp::is_enabled()
}

/// Has `program`, an absolute path, started with these arguments at each login from the next one on; an entry that is
/// there is replaced.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] if the entry cannot hold such a path or argument, or what the system says.
pub fn enable(program: &Path, arguments: &[&str]) -> io::Result<()> {
    imp::enable(program, arguments)
}

/// Takes the entry away; what runs goes on running. Done twice it is done.
///
/// # Errors
/// If it cannot be removed.
pub fn disable() -> io::Result<()> {
    imp::disable()
}

#[cfg(windows)]
use self::windows as imp;

#[cfg(unix)]
mod imp {
    use std::{io, path::Path};

    use super::{entry, system};

    pub(super) fn is_enabled() -> io::Result<bool> {
        entry::read(&system::path()?).map(|text| text.is_some_and(|text| system::is_on(&text)))
    }

    pub(super) fn enable(program: &Path, arguments: &[&str]) -> io::Result<()> {
        let text = system::text(&entry::words(program, arguments)?)?;
        entry::write(&system::path()?, &text)
    }

    pub(super) fn disable() -> io::Result<()> {
        entry::remove(&system::path()?)
    }
}
