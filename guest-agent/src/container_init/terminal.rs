//! A terminal of the container's own devpts, so that its name means the same inside.

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    fs::{Mode, OFlags, fstatfs, open},
    io::Errno,
    pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

/// DEVPTS_SUPER_MAGIC of linux/magic.h.
const DEVPTS: u64 = 0x1cd1;

/// Makes a terminal and opens both ends. Size 0 × 0 is left as the kernel makes it.
///
/// The other end is opened through the master and never by its name, behind which a container that runs may have put
/// something else (CVE-2025-52565).
pub(super) fn make(rows: u16, columns: u16) -> Result<(OwnedFd, OwnedFd), Errno> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let master = open("/dev/pts/ptmx", flags, Mode::empty())?;
    if u64::try_from(fstatfs(&master)?.f_type).ok() != Some(DEVPTS) {
        return Err(Errno::NODEV);
    }
    unlockpt(&master)?;
    let terminal = ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    if (rows, columns) != (0, 0) {
        tcsetwinsize(&master, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })?;
    }
    Ok((master, terminal))
}

/// Makes it the terminal that the session answers to: Ctrl-C and the end of the line.
pub(super) fn control(terminal: impl AsFd) -> Result<(), Errno> {
    rustix::process::ioctl_tiocsctty(terminal)
}
