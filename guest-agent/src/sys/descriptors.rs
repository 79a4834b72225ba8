//! Descriptors by number: what a process inherits, and what it must not.
#![expect(unsafe_code, reason = "takes over descriptors that only a convention of numbers names")]

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::Errno;

/// Takes over a descriptor that the parent has left at a number, and sets close-on-exec. Whoever calls this knows from
/// the convention with the parent that nothing else in the process owns the number.
///
/// # Errors
/// EBADF when the number is not open.
pub fn inherited(number: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: asks about a number; no memory involved.
    super::checked(libc::c_long::from(unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) }))?;
    // SAFETY: it is open (the call above succeeded), and by the convention nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Duplicates a descriptor to a number, where it stays open across execve. Whatever had the number is closed.
///
/// # Errors
/// What the kernel says.
pub fn leave_at(descriptor: &impl AsRawFd, number: RawFd) -> Result<(), Errno> {
    // SAFETY: the caller says what the number is for; no memory involved.
    super::checked(libc::c_long::from(unsafe { libc::dup2(descriptor.as_raw_fd(), number) })).map(drop)
}

/// Closes every descriptor but those given and the standard streams, whoever owns it: for a child that goes on without
/// its parent's things, and never touches them again.
///
/// # Errors
/// What the kernel says.
pub fn close_all_but(kept: &[RawFd]) -> Result<(), Errno> {
    let mut kept: Vec<u32> = kept.iter().filter_map(|fd| u32::try_from(*fd).ok()).filter(|fd| *fd > 2).collect();
    kept.sort_unstable();
    let mut first = 3;
    for fd in kept {
        if fd > first {
            close_range(first, fd - 1)?;
        }
        first = fd + 1;
    }
    close_range(first, u32::MAX)
}

fn close_range(first: u32, last: u32) -> Result<(), Errno> {
    // SAFETY: closes numbers; the documented contract of `close_all_but` is that nobody uses their owners again.
    super::checked(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) }).map(drop)
}
