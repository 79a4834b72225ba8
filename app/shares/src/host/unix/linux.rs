//! What Linux does in its own way: a file is named by a descriptor that opens nothing (`O_PATH`), and what wants a path
//! gets that of the descriptor in /proc, which leads to this very file.

use std::{
    ffi::OsStr,
    os::fd::{AsRawFd as _, OwnedFd},
};

use rustix::{
    fs::{self, AtFlags, CWD, Gid, Mode, OFlags, Statx, StatxFlags, StatxTimestamp, Uid, XattrFlags},
    io,
};

use super::{again, bits, path, times};
use crate::{
    errno::Errno,
    host::{Attributes, Change, Identity, Kind, Moment},
    wire::fields::Name,
};

/// The numbers are the guest's.
pub(super) fn refused(error: io::Errno) -> Errno {
    Errno(error.raw_os_error())
}

/// A file, named and not opened.
fn object(folder: &OwnedFd, name: Name<'_>) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    again(|| fs::openat(folder, path(&name), flags, Mode::empty()))
}

/// Where /proc has a descriptor of this process.
fn in_proc(fd: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

pub(super) fn attributes(folder: &OwnedFd, at: Option<Name<'_>>) -> Result<Attributes, Errno> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    let said = again(|| match at {
        Some(name) => fs::statx(folder, path(&name), AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT, wanted),
        None => fs::statx(folder, "", AtFlags::EMPTY_PATH, wanted),
    })?;
    Ok(from_statx(&said))
}

fn from_statx(said: &Statx) -> Attributes {
    let moment = |time: StatxTimestamp| Moment { seconds: time.tv_sec, nanos: time.tv_nsec };
    let has_birth = said.stx_mask & StatxFlags::BTIME.bits() != 0;
    let mode = u32::from(said.stx_mode);
    Attributes {
        identity: Identity {
            device: u64::from(said.stx_dev_major) << 32 | u64::from(said.stx_dev_minor),
            number: said.stx_ino,
            made: if has_birth { moment(said.stx_btime) } else { Moment::default() },
        },
        kind: Kind::of_mode(mode),
        mode: mode & 0o7777,
        links: said.stx_nlink,
        size: said.stx_size,
        blocks: said.stx_blocks,
        uid: said.stx_uid,
        gid: said.stx_gid,
        device: encode_device(said.stx_rdev_major, said.stx_rdev_minor),
        accessed: moment(said.stx_atime),
        modified: moment(said.stx_mtime),
        changed: moment(said.stx_ctime),
    }
}

/// The kernel's new_encode_dev, which FUSE carries.
fn encode_device(major: u32, minor: u32) -> u32 {
    minor & 0xff | major << 8 | (minor & !0xff) << 12
}

/// Its inverse.
fn decode_device(device: u32) -> (u32, u32) {
    (device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xfff00)
}

/// Opens a regular file. It is looked at before: opening a device or a fifo can have effects.
pub(super) fn open_regular(folder: &OwnedFd, name: Name<'_>, flags: OFlags) -> Result<OwnedFd, Errno> {
    let object = object(folder, name)?;
    match attributes(&object, None)?.kind {
        Kind::File => again(|| fs::open(in_proc(&object), flags, Mode::empty())),
        Kind::SymbolicLink => Err(Errno::LOOP),
        Kind::Folder => Err(Errno::ISDIR),
        _ => Err(Errno::NXIO),
    }
}

pub(super) fn make_node(folder: &OwnedFd, name: &OsStr, kind: Kind, mode: Mode, device: u32) -> Result<(), Errno> {
    let file_type = match kind {
        Kind::Fifo => fs::FileType::Fifo,
        Kind::Socket => fs::FileType::Socket,
        Kind::CharDevice => fs::FileType::CharacterDevice,
        Kind::BlockDevice => fs::FileType::BlockDevice,
        _ => return Err(Errno::INVAL),
    };
    let (major, minor) = decode_device(device);
    again(|| fs::mknodat(folder, name, file_type, mode, fs::makedev(major, minor)))
}

/// As for an open file, but for one that is only named.
pub(super) fn change(folder: &OwnedFd, at: Option<Name<'_>>, change: &Change) -> Result<(), Errno> {
    let Some(name) = at else { return super::file::change_open(folder, change) };
    if let Some(size) = change.size {
        let file = open_regular(folder, name, OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NONBLOCK)?;
        again(|| fs::ftruncate(&file, size))?;
    }
    let object = object(folder, name)?;
    if change.uid.is_some() || change.gid.is_some() {
        let (uid, gid) = (change.uid.map(Uid::from_raw), change.gid.map(Gid::from_raw));
        again(|| fs::chownat(&object, "", uid, gid, AtFlags::EMPTY_PATH))?;
    }
    if let Some(mode) = change.mode {
        again(|| fs::chmodat(CWD, in_proc(&object), bits(mode), AtFlags::empty()))?;
    }
    times(change).map_or(Ok(()), |times| again(|| fs::utimensat(CWD, in_proc(&object), &times, AtFlags::empty())))
}

pub(super) fn sync_data(file: &OwnedFd) -> io::Result<()> {
    fs::fdatasync(file)
}

pub(super) fn copy_range(
    from: &OwnedFd,
    mut offset: u64,
    to: &OwnedFd,
    mut to_offset: u64,
    length: u64,
) -> Result<u64, Errno> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let copied = again(|| fs::copy_file_range(from, Some(&mut offset), to, Some(&mut to_offset), length))?;
    u64::try_from(copied).map_err(|_| Errno::OVERFLOW)
}

/// A file whose extended attributes are meant.
pub(super) struct XattrPlace {
    path: String,
    _object: OwnedFd,
}

impl XattrPlace {
    pub(super) fn of(folder: &OwnedFd, at: Option<Name<'_>>) -> Result<Self, Errno> {
        let object = match at {
            Some(name) => object(folder, name)?,
            None => folder.try_clone().map_err(|_| Errno::MFILE)?,
        };
        Ok(Self { path: in_proc(&object), _object: object })
    }

    pub(super) fn get(&self, xattr: &[u8], value: &mut [u8]) -> io::Result<usize> {
        fs::getxattr(&self.path, xattr, value)
    }

    pub(super) fn set(&self, xattr: &[u8], value: &[u8], flags: XattrFlags) -> io::Result<()> {
        fs::setxattr(&self.path, xattr, value, flags)
    }

    pub(super) fn list(&self, names: &mut [u8]) -> io::Result<usize> {
        fs::listxattr(&self.path, names)
    }

    pub(super) fn remove(&self, xattr: &[u8]) -> io::Result<()> {
        fs::removexattr(&self.path, xattr)
    }
}
