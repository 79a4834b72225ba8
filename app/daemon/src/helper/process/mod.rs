//! Telling a process from a later one with the same number, and ending it with all that it started.
//!
//! * `born` — when a process began, as this system says it.
//! * `force` — ending it, as this system does it.

use std::{io, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

#[cfg_attr(target_os = "linux", path = "born_linux.rs")]
#[cfg_attr(target_os = "macos", path = "born_macos.rs")]
#[cfg_attr(windows, path = "born_windows.rs")]
mod born;
#[cfg_attr(unix, path = "force_unix.rs")]
#[cfg_attr(windows, path = "force_windows.rs")]
mod force;

/// How long a process may take to go after it has been ended by force.
const GOING: Duration = Duration::from_secs(10);

/// A process: its number, and when it began, which no later one with that number has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) pid: u32,
    /// When it began, in the system's own measure; compared, never reckoned with.
    started: u64,
}

impl Identity {
    /// This process.
    pub(super) fn own() -> io::Result<Self> {
        let pid = std::process::id();
        let started = born::started(pid)?.ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { pid, started })
    }

    /// Whether it is still there (and not only waiting to be reaped).
    pub(super) fn lives(&self) -> bool {
        matches!(born::started(self.pid), Ok(Some(started)) if started == self.started)
    }

    /// Ends it by force with what it started, and waits until it is gone.
    pub(super) async fn end(&self) -> io::Result<()> {
        if !self.lives() {
            return Ok(());
        }
        match force::end(self.pid) {
            // macOS refuses to signal a group of which only zombies are left.
            Err(error) if self.lives() => return Err(error),
            Err(_) => return Ok(()),
            Ok(()) => {}
        }
        // It is not our child, so there is nothing to wait on: it is looked for.
        let gone = async {
            while self.lives() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(GOING, gone).await.map_err(|_| io::ErrorKind::TimedOut.into())
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[tokio::test]
    async fn a_process_is_ended_with_its_group_but_not_its_successor() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60 & wait"]);
        let mut child = cove_platform::process::detach(&mut command).spawn().unwrap();
        let pid = child.id();
        let identity = Identity { pid, started: born::started(pid).unwrap().unwrap() };
        let successor = Identity { started: identity.started + 1, ..identity.clone() };
        successor.end().await.unwrap();
        assert!(identity.lives() && !successor.lives());
        identity.end().await.unwrap();
        assert!(!identity.lives());
        child.wait().unwrap();
    }
}
