//! openat2(2), as often as it takes.

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    fs::{Mode, OFlags, ResolveFlags},
    io::Errno,
    path::Arg,
};

/// Who renames without end is not waited for.
const MAX_TRIES: usize = 128;

/// Opens what is at a path below a folder. While others rename or mount, wherever that be, the kernel cannot tell whether
/// ".." still leads where it did, and says EAGAIN.
///
/// # Errors
/// What the kernel says.
pub(crate) fn openat2(
    folder: impl AsFd,
    path: impl Arg + Copy,
    flags: OFlags,
    mode: Mode,
    resolve: ResolveFlags,
) -> Result<OwnedFd, Errno> {
    let mut opened = Err(Errno::AGAIN);
    for _ in 0..MAX_TRIES {
        opened = rustix::fs::openat2(folder.as_fd(), path, flags, mode, resolve);
        if !matches!(opened, Err(Errno::AGAIN)) {
            break;
        }
    }
    opened
}
