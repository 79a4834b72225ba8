//! waitid(2), with the status as the kernel gives it. nix has no signal type for real-time signals and would fail on a
//! child that one of them ended.
#![expect(unsafe_code, reason = "reads the fields of siginfo_t that only waitid fills in")]

use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Errno;

/// A child that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Its id.
    pub pid: u32,
    /// 0-255; 128 plus the signal's number when a signal ended it.
    pub code: i32,
}

/// Looks for any child that has ended, and leaves it as it is. `None` when there is none.
///
/// # Errors
/// What the kernel says.
pub fn peek() -> Result<Option<Ended>, Errno> {
    match wait(libc::P_ALL, 0, libc::WNOWAIT) {
        Err(Errno::CHILD) => Ok(None),
        found => found,
    }
}

/// Reaps a child. `None` when it has not ended.
///
/// # Errors
/// ECHILD when it is no child (any more).
pub fn reap(child: impl AsFd) -> Result<Option<Ended>, Errno> {
    let number = u32::try_from(child.as_fd().as_raw_fd()).map_err(|_| Errno::BADF)?;
    wait(libc::P_PIDFD, number, 0)
}

/// Reaps a child that nobody holds a pidfd of. It has ended, so its id is still its own.
///
/// # Errors
/// ECHILD when it is no child (any more).
pub fn reap_pid(pid: u32) -> Result<Option<Ended>, Errno> {
    wait(libc::P_PID, pid, 0)
}

fn wait(kind: libc::idtype_t, id: u32, more: libc::c_int) -> Result<Option<Ended>, Errno> {
    let options = libc::WEXITED | libc::WNOHANG | more;
    // SAFETY: siginfo_t is plain numbers, for which zeros are valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: `info` is where the kernel writes.
    super::checked(libc::c_long::from(unsafe { libc::waitid(kind, id, &raw mut info, options) }))?;
    // SAFETY: after waitid these fields are set, or zero when there was nothing.
    let pid = unsafe { info.si_pid() };
    // SAFETY: as above.
    let status = unsafe { info.si_status() };
    let code = if info.si_code == libc::CLD_EXITED { status } else { 128 + status };
    Ok(u32::try_from(pid).ok().filter(|pid| *pid != 0).map(|pid| Ended { pid, code }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn exit_codes_and_signals_are_told_as_shells_do() {
        for (script, expected) in [("exit 3", 3), ("kill -9 $$", 137), ("kill -34 $$", 162)] {
            #[expect(clippy::zombie_processes, reason = "the function under test reaps it")]
            let child = Command::new("sh").args(["-c", script]).spawn().unwrap();
            let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
            let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
            let mut poll = [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)];
            rustix::event::poll(&mut poll, None).unwrap();
            assert_eq!(reap(&pidfd), Ok(Some(Ended { pid: child.id(), code: expected })));
            assert_eq!(reap(&pidfd), Err(Errno::CHILD));
        }
    }
}
