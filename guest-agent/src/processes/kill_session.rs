//! Killing a process with all that it started: its session, of which every exec is the leader. What made a session of its
//! own, as daemons do, is left alone.

use std::fs;

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::{cgroups, sys::send_signal::send_signal};

/// How often to look again for what was being started meanwhile.
const ROUNDS: usize = 3;

/// Kills the processes of a container that are in the session of `leader`.
pub(super) fn kill_session(container_id: &str, leader: u32) {
    for _ in 0..ROUNDS {
        let members: Vec<u32> =
            cgroups::processes(container_id).into_iter().filter(|pid| is_in(*pid, leader)).collect();
        if members.is_empty() {
            return;
        }
        members.into_iter().for_each(|pid| kill(pid, leader));
    }
}

fn is_in(pid: u32, leader: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    session(&stat) == Some(leader)
}

/// The session in a line of /proc/PID/stat: the fourth field behind the name, which may hold anything.
fn session(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(3)?.parse().ok()
}

/// Once its pidfd is open, the number cannot become another process's unseen.
fn kill(pid: u32, leader: u32) {
    let known = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let Some(pidfd) = known.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else { return };
    if is_in(pid, leader)
        && let Err(errno) = send_signal(&pidfd, libc::SIGKILL)
        && errno != rustix::io::Errno::SRCH
    {
        tracing::warn!(pid, %errno, "a process that takes too long cannot be killed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_is_found_behind_any_name() {
        assert_eq!(session("7 (a) b) S 1 7 42 0 -1 4194560"), Some(42));
        assert_eq!(session(""), None);
    }
}
