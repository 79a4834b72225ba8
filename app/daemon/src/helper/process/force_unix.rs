//! SIGKILL to the process group.

use std::io;

use nix::{
    errno::Errno,
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

/// Ends the group that the process leads. That there is none any more is no failure.
pub(super) fn end(pid: u32) -> io::Result<()> {
    match killpg(Pid::from_raw(i32::try_from(pid).map_err(io::Error::other)?), Signal::SIGKILL) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
