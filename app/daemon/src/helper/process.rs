//! Telling a process from a later one with the same number, and ending it with all that it started.

use std::{io, time::Duration};

use nix::{
    errno::Errno,
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

/// How long a process may take to go after SIGKILL.
const GOING: Duration = Duration::from_secs(10);

/// A process: its number, and when it began, which no later one with that number has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) pid: u32,
    /// In ticks since the host booted; field 22 of /proc/PID/stat.
    started: u64,
}

impl Identity {
    /// This process.
    pub(super) fn own() -> io::Result<Self> {
        let pid = std::process::id();
        let started = started(pid)?.ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { pid, started })
    }

    /// Whether it is still there (and not only waiting to be reaped).
    pub(super) fn lives(&self) -> bool {
        matches!(started(self.pid), Ok(Some(started)) if started == self.started)
    }

    /// Ends it and its process group by force, and waits until it is gone.
    pub(super) async fn end(&self) -> io::Result<()> {
        if !self.lives() {
            return Ok(());
        }
        let pid = i32::try_from(self.pid).map_err(io::Error::other)?;
        match killpg(Pid::from_raw(pid), Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => return Err(error.into()),
        }
        // It is not our child, so there is nothing to wait on but /proc.
        let gone = async {
            while self.lives() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(GOING, gone).await.map_err(|_| io::ErrorKind::TimedOut.into())
    }
}

/// When the process began; `None` if there is none, or only what is left of it.
fn started(pid: u32) -> io::Result<Option<u64>> {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(text) => Ok(parse(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // The process ended between open and read.
        Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The name, in brackets, may contain anything; the third field, the state, follows the last bracket.
fn parse(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_start_is_found_behind_any_name_and_a_zombie_has_none() {
        let stat =
            |name: &str, state: &str| format!("7 ({name}) {state} 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4242 9 9");
        assert_eq!(parse(&stat("a) b (c", "S")), Some(4242));
        assert_eq!(parse(&stat("a", "Z")), None);
    }

    #[tokio::test]
    async fn a_process_is_ended_with_its_group_but_not_its_successor() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60 & wait"]);
        let mut child = cove_platform::process::detach(&mut command).spawn().unwrap();
        let pid = child.id();
        let identity = Identity { pid, started: started(pid).unwrap().unwrap() };
        let successor = Identity { started: identity.started + 1, ..identity.clone() };
        successor.end().await.unwrap();
        assert!(identity.lives() && !successor.lives());
        identity.end().await.unwrap();
        assert!(!identity.lives());
        child.wait().unwrap();
    }
}
