//! What happened on the host is done again on its mount here. The host answers as if it were done and does nothing, so all
//! that comes of it is that the kernel tells those who watch: real events of inotify, for files of another computer.
//!
//! What a container exchanges for a link meanwhile leads nowhere: folders are walked beneath the mount and no link is
//! followed.

use std::path::Path;

use cove_proto::v1::{HostChange, HostChangeKind};
use rustix::{
    fs::{
        AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, mkdirat,
        mknodat, openat, renameat, symlinkat, unlinkat, utimensat,
    },
    io::Errno,
};

use crate::within::openat2;
use std::{
    ffi::OsStr,
    os::{fd::OwnedFd, unix::ffi::OsStrExt as _},
};

use super::device::Device;

/// Does it again.
///
/// # Errors
/// What the kernel says; what is not there any more comes as the next change.
pub(super) fn again(device: &Device, mount: &Path, change: &HostChange) -> Result<(), Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let top = openat(CWD, mount, flags, Mode::empty())?;
    let (folder, name) = place(&top, &change.path)?;
    match change.kind() {
        HostChangeKind::Made => {
            let _marked = device.replays();
            make(&folder, name, change.mode)
        }
        HostChangeKind::Removed => {
            let _marked = device.replays();
            unlinkat(&folder, name, if change.folder { AtFlags::REMOVEDIR } else { AtFlags::empty() })
        }
        HostChangeKind::Moved => {
            let (to, to_name) = place(&top, &change.moved_to)?;
            let _marked = device.replays();
            renameat(&folder, name, &to, to_name)
        }
        HostChangeKind::Contents => touch(device, &folder, name, UTIME_OMIT),
        HostChangeKind::Attributes => touch(device, &folder, name, UTIME_NOW),
        HostChangeKind::Unspecified => Err(Errno::INVAL),
    }
}

/// A folder of a mount, and a name in it.
fn place<'a>(top: &OwnedFd, path: &'a [u8]) -> Result<(OwnedFd, &'a OsStr), Errno> {
    let path = Path::new(OsStr::from_bytes(path));
    let name = path.file_name().ok_or(Errno::INVAL)?;
    let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    Ok((openat2(top, above, flags, Mode::empty(), resolve)?, name))
}

fn make(folder: &OwnedFd, name: &OsStr, mode: u32) -> Result<(), Errno> {
    let permissions = Mode::from_raw_mode(mode & 0o7777);
    match FileType::from_raw_mode(mode) {
        FileType::Directory => mkdirat(folder, name, permissions),
        // Where it leads is the host's to say; the kernel asks.
        FileType::Symlink => symlinkat("-", folder, name),
        kind => mknodat(folder, name, kind, permissions, 0),
    }
}

/// To set the time of the contents alone tells that they are others, with that of the last look that the attributes are.
fn touch(device: &Device, folder: &OwnedFd, name: &OsStr, looked: i64) -> Result<(), Errno> {
    let time = |nanos: i64| Timespec { tv_sec: 0, tv_nsec: nanos };
    let times = Timestamps { last_access: time(looked), last_modification: time(UTIME_NOW) };
    let _marked = device.replays();
    utimensat(folder, name, &times, AtFlags::SYMLINK_NOFOLLOW)
}
