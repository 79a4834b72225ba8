//! What the kernel and PID 1 wrote to the console: one file per boot, the previous boot's beside it.
//!
//! The backend writes through [`Sink`], which bounds the file: whoever may write to the guest's console must not be able
//! to fill the host's disk. Readers see a file that grows, and that begins anew when it has been rotated.
//!
//! * [`sink`] — writing, with the cap.
//! * [`keep`] — from the guest to the sink, with an eye on panics and resets.
//! * [`tail`] — the end of it.
//! * [`follow`] — what comes from now on.
//! * [`agents`] — what it tells of agents that do not stay.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

pub mod agents;
pub mod follow;
pub mod keep;
pub mod sink;
pub mod tail;

pub use follow::Follow;
pub(crate) use follow::Lines;
pub use keep::{Sign, keep};
pub use sink::Sink;
pub use tail::tail;

/// How much of the console a failure carries.
pub const FAILURE_LINES: usize = 25;

/// How often a reader looks for more. A file that another process writes gives no portable event; a look costs one read.
const LOOK: Duration = Duration::from_millis(20);

/// Where the previous boot's console is.
#[must_use]
pub fn previous(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    PathBuf::from(name)
}

/// Puts the file aside for a new one.
pub(crate) fn rotate(path: &Path) -> io::Result<()> {
    match std::fs::rename(path, previous(path)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
