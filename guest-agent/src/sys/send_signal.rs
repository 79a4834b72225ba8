//! Signals to a pidfd by number: rustix's type has no real-time signals, and Docker's users send those too.
#![expect(unsafe_code, reason = "rustix takes only the signals that have a name")]

use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Errno;

/// Sends a signal to the process behind a pidfd.
///
/// # Errors
/// ESRCH when it has been reaped, EINVAL when there is no such signal.
pub fn send_signal(pidfd: impl AsFd, signal: i32) -> Result<(), Errno> {
    // SAFETY: a null pointer asks the kernel to fill in the information.
    super::checked(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_fd().as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    })
    .map(drop)
}
