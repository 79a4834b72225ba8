//! What macOS does in its own way: calls that do not follow links where Linux has `O_PATH`, and numbers of its own.

use std::{ffi::OsStr, os::fd::OwnedFd};

use rustix::{
    fs::{self, AtFlags, Gid, Mode, OFlags, Stat, Uid, XattrFlags},
    io,
};

use super::{again, bits, path, times};
use crate::{
    errno::Errno,
    host::{Attributes, Change, Identity, Kind, Moment},
    wire::fields::Name,
};

/// macOS's numbers as Linux's.
pub(super) fn refused(error: io::Errno) -> Errno {
    const NUMBERS: &[(io::Errno, Errno)] = &[
        (io::Errno::PERM, Errno::PERM),
        (io::Errno::NOENT, Errno::NOENT),
        (io::Errno::INTR, Errno::INTR),
        (io::Errno::NXIO, Errno::NXIO),
        (io::Errno::BADF, Errno::BADF),
        (io::Errno::AGAIN, Errno::AGAIN),
        (io::Errno::NOMEM, Errno::NOMEM),
        (io::Errno::ACCESS, Errno::ACCESS),
        (io::Errno::BUSY, Errno::BUSY),
        (io::Errno::EXIST, Errno::EXIST),
        (io::Errno::XDEV, Errno::XDEV),
        (io::Errno::NOTDIR, Errno::NOTDIR),
        (io::Errno::ISDIR, Errno::ISDIR),
        (io::Errno::INVAL, Errno::INVAL),
        (io::Errno::NFILE, Errno::NFILE),
        (io::Errno::MFILE, Errno::MFILE),
        (io::Errno::TXTBSY, Errno::TXTBSY),
        (io::Errno::FBIG, Errno::FBIG),
        (io::Errno::NOSPC, Errno::NOSPC),
        (io::Errno::ROFS, Errno::ROFS),
        (io::Errno::MLINK, Errno::MLINK),
        (io::Errno::RANGE, Errno::RANGE),
        (io::Errno::NAMETOOLONG, Errno::NAMETOOLONG),
        (io::Errno::NOSYS, Errno::NOSYS),
        (io::Errno::NOTEMPTY, Errno::NOTEMPTY),
        (io::Errno::LOOP, Errno::LOOP),
        // ENOATTR, which Linux has no number of its own for.
        (io::Errno::from_raw_os_error(93), Errno::NODATA),
        (io::Errno::OVERFLOW, Errno::OVERFLOW),
        (io::Errno::OPNOTSUPP, Errno::OPNOTSUPP),
        (io::Errno::NOTSUP, Errno::OPNOTSUPP),
        (io::Errno::STALE, Errno::STALE),
        (io::Errno::DQUOT, Errno::DQUOT),
    ];
    NUMBERS.iter().find(|(own, _)| *own == error).map_or(Errno::IO, |(_, linux)| *linux)
}

pub(super) fn attributes(folder: &OwnedFd, at: Option<Name<'_>>) -> Result<Attributes, Errno> {
    let said = again(|| match at {
        Some(name) => fs::statat(folder, path(&name), AtFlags::SYMLINK_NOFOLLOW),
        None => fs::fstat(folder),
    })?;
    Ok(from_stat(&said))
}

fn from_stat(said: &Stat) -> Attributes {
    let moment = |seconds: i64, nanos: i64| Moment { seconds, nanos: u32::try_from(nanos).unwrap_or(0) };
    let mode = u32::from(said.st_mode);
    Attributes {
        identity: Identity {
            device: u64::from(said.st_dev.cast_unsigned()),
            number: said.st_ino,
            made: moment(said.st_birthtime, said.st_birthtime_nsec),
        },
        kind: Kind::of_mode(mode),
        mode: mode & 0o7777,
        links: u32::from(said.st_nlink),
        size: u64::try_from(said.st_size).unwrap_or(0),
        blocks: u64::try_from(said.st_blocks).unwrap_or(0),
        uid: said.st_uid,
        gid: said.st_gid,
        // Numbers of its devices mean nothing to Linux.
        device: 0,
        accessed: moment(said.st_atime, said.st_atime_nsec),
        modified: moment(said.st_mtime, said.st_mtime_nsec),
        changed: moment(said.st_ctime, said.st_ctime_nsec),
    }
}

/// Opens a regular file; what turns out to be something else is closed again, and nothing was waited for.
pub(super) fn open_regular(folder: &OwnedFd, name: Name<'_>, flags: OFlags) -> Result<OwnedFd, Errno> {
    match attributes(folder, Some(name))?.kind {
        Kind::File => {}
        Kind::SymbolicLink => return Err(Errno::LOOP),
        Kind::Folder => return Err(Errno::ISDIR),
        _ => return Err(Errno::NXIO),
    }
    let file = again(|| fs::openat(folder, path(&name), flags | OFlags::NOFOLLOW, Mode::empty()))?;
    if attributes(&file, None)?.kind == Kind::File { Ok(file) } else { Err(Errno::NXIO) }
}

/// macOS makes neither sockets nor devices by name, and fifos not below an open folder.
pub(super) fn make_node(_: &OwnedFd, _: &OsStr, _: Kind, _: Mode, _: u32) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// As for an open file, but for one that is only named.
pub(super) fn change(folder: &OwnedFd, at: Option<Name<'_>>, change: &Change) -> Result<(), Errno> {
    let Some(name) = at else { return super::file::change_open(folder, change) };
    if let Some(size) = change.size {
        let file = open_regular(folder, name, OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NONBLOCK)?;
        again(|| fs::ftruncate(&file, size))?;
    }
    let not_followed = AtFlags::SYMLINK_NOFOLLOW;
    if change.uid.is_some() || change.gid.is_some() {
        let (uid, gid) = (change.uid.map(Uid::from_raw), change.gid.map(Gid::from_raw));
        again(|| fs::chownat(folder, path(&name), uid, gid, not_followed))?;
    }
    if let Some(mode) = change.mode {
        again(|| fs::chmodat(folder, path(&name), bits(mode), not_followed))?;
    }
    times(change).map_or(Ok(()), |times| again(|| fs::utimensat(folder, path(&name), &times, not_followed)))
}

/// The guest's kernel copies by reading and writing instead.
/// There is no fdatasync(2).
pub(super) fn sync_data(file: &OwnedFd) -> io::Result<()> {
    fs::fsync(file)
}

pub(super) fn copy_range(_: &OwnedFd, _: u64, _: &OwnedFd, _: u64, _: u64) -> Result<u64, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// A file whose extended attributes are meant, open.
pub(super) struct XattrPlace(OwnedFd);

impl XattrPlace {
    pub(super) fn of(folder: &OwnedFd, at: Option<Name<'_>>) -> Result<Self, Errno> {
        let Some(name) = at else { return folder.try_clone().map(Self).map_err(|_| Errno::MFILE) };
        if !matches!(attributes(folder, Some(name))?.kind, Kind::File | Kind::Folder) {
            return Err(Errno::PERM);
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        again(|| fs::openat(folder, path(&name), flags, Mode::empty())).map(Self)
    }

    pub(super) fn get(&self, xattr: &[u8], value: &mut [u8]) -> io::Result<usize> {
        fs::fgetxattr(&self.0, xattr, value)
    }

    pub(super) fn set(&self, xattr: &[u8], value: &[u8], flags: XattrFlags) -> io::Result<()> {
        fs::fsetxattr(&self.0, xattr, value, flags)
    }

    pub(super) fn list(&self, names: &mut [u8]) -> io::Result<usize> {
        fs::flistxattr(&self.0, names)
    }

    pub(super) fn remove(&self, xattr: &[u8]) -> io::Result<()> {
        fs::fremovexattr(&self.0, xattr)
    }
}
