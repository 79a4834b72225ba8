//! Files of Linux and macOS.
//!
//! * [`UnixFolder`] — an open folder: what both systems do alike.
//! * [`file`] — an open file. * `inotify` — Linux's watcher.
//! * `linux`, `macos` — what they do each in its way: to name a file without following it, error numbers.

pub mod file;
#[cfg(target_os = "linux")]
pub mod inotify;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "macos.rs"]
mod system;

use std::{
    ffi::OsStr,
    os::{fd::OwnedFd, unix::ffi::OsStrExt as _},
    path::Path,
};

use rustix::{
    fs::{self, AtFlags, Mode, OFlags, RenameFlags, Timespec, Timestamps, XattrFlags},
    io,
};

pub use self::file::UnixFile;
use super::{Access, Attributes, Change, Displace, Entry, Folder, Kind, Moment, SetTime, Space};
use crate::{errno::Errno, wire::fields::Name};

/// An open folder.
#[derive(Debug)]
pub struct UnixFolder(OwnedFd);

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::RDONLY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn refused(error: io::Errno) -> Errno {
    system::refused(error)
}

fn path<'a>(name: &Name<'a>) -> &'a OsStr {
    OsStr::from_bytes(name.as_bytes())
}

/// Calls again what a signal interrupted.
fn again<T>(call: impl FnMut() -> io::Result<T>) -> Result<T, Errno> {
    io::retry_on_intr(call).map_err(refused)
}

impl UnixFolder {
    /// Opens the folder that is to be shared, by a path that the user chose: links in it count, as dockerd has it.
    ///
    /// # Errors
    /// If there is none, or it may not be read.
    pub fn open_path(path: &Path) -> Result<Self, Errno> {
        again(|| fs::open(path, FOLDER.difference(OFlags::NOFOLLOW), Mode::empty())).map(Self)
    }
}

/// This process's user and group, as files have them.
#[must_use]
pub fn own_ids() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

impl Folder for UnixFolder {
    type File = UnixFile;

    fn folder(&self, name: Name<'_>) -> Result<Self, Errno> {
        again(|| fs::openat(&self.0, path(&name), FOLDER, Mode::empty())).map(Self)
    }

    fn attributes(&self, at: Option<Name<'_>>) -> Result<Attributes, Errno> {
        system::attributes(&self.0, at)
    }

    fn open(&self, name: Name<'_>, access: Access) -> Result<UnixFile, Errno> {
        system::open_regular(&self.0, name, flags(access)).map(UnixFile)
    }

    fn create(&self, name: Name<'_>, access: Access, mode: u32) -> Result<UnixFile, Errno> {
        let flags = flags(access) | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let file = again(|| fs::openat(&self.0, path(&name), flags, bits(mode)))?;
        // The mask of this process is not the container's.
        again(|| fs::fchmod(&file, bits(mode)))?;
        Ok(UnixFile(file))
    }

    fn make_folder(&self, name: Name<'_>, mode: u32) -> Result<(), Errno> {
        again(|| fs::mkdirat(&self.0, path(&name), bits(mode)))?;
        // Whether it passes its group on comes from the folder that it is in.
        let inherited = self.attributes(Some(name))?.mode & 0o2000;
        self.change(Some(name), &Change { mode: Some(mode & 0o7777 | inherited), ..Change::default() })
    }

    fn make_node(&self, name: Name<'_>, kind: Kind, mode: u32, device: u32) -> Result<(), Errno> {
        if kind == Kind::File {
            let access = Access { read: false, write: true, append: false, truncate: false };
            return self.create(name, access, mode).map(drop);
        }
        system::make_node(&self.0, path(&name), kind, bits(mode), device)?;
        self.change(Some(name), &Change { mode: Some(mode & 0o7777), ..Change::default() })
    }

    fn symbolic_link(&self, name: Name<'_>, target: &[u8]) -> Result<(), Errno> {
        again(|| fs::symlinkat(OsStr::from_bytes(target), &self.0, path(&name)))
    }

    fn read_link(&self, name: Name<'_>) -> Result<Vec<u8>, Errno> {
        again(|| fs::readlinkat(&self.0, path(&name), Vec::new())).map(std::ffi::CString::into_bytes)
    }

    fn link(&self, name: Name<'_>, from: &Self, from_name: Name<'_>) -> Result<(), Errno> {
        again(|| fs::linkat(&from.0, path(&from_name), &self.0, path(&name), AtFlags::empty()))
    }

    fn unlink(&self, name: Name<'_>) -> Result<(), Errno> {
        again(|| fs::unlinkat(&self.0, path(&name), AtFlags::empty()))
    }

    fn remove_folder(&self, name: Name<'_>) -> Result<(), Errno> {
        again(|| fs::unlinkat(&self.0, path(&name), AtFlags::REMOVEDIR))
    }

    fn rename(&self, name: Name<'_>, to: &Self, to_name: Name<'_>, displace: Displace) -> Result<(), Errno> {
        let how = match displace {
            Displace::Replace => return again(|| fs::renameat(&self.0, path(&name), &to.0, path(&to_name))),
            Displace::Refuse => RenameFlags::NOREPLACE,
            Displace::Exchange => RenameFlags::EXCHANGE,
        };
        again(|| fs::renameat_with(&self.0, path(&name), &to.0, path(&to_name), how))
    }

    fn list(&self) -> Result<Vec<Entry>, Errno> {
        let mut entries = Vec::new();
        for entry in fs::Dir::read_from(&self.0).map_err(refused)? {
            let entry = entry.map_err(refused)?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                entries.push(Entry { name: name.to_vec(), number: entry.ino(), kind: kind(entry.file_type()) });
            }
        }
        Ok(entries)
    }

    fn change(&self, at: Option<Name<'_>>, change: &Change) -> Result<(), Errno> {
        system::change(&self.0, at, change)
    }

    fn xattr(&self, at: Option<Name<'_>>, xattr: &[u8]) -> Result<Vec<u8>, Errno> {
        let place = system::XattrPlace::of(&self.0, at)?;
        let mut value = vec![0; XATTR_BYTES];
        let length = again(|| place.get(xattr, &mut value))?;
        value.truncate(length);
        Ok(value)
    }

    fn set_xattr(&self, at: Option<Name<'_>>, xattr: &[u8], value: &[u8], flags: u32) -> Result<(), Errno> {
        let place = system::XattrPlace::of(&self.0, at)?;
        let flags = match flags {
            0 => XattrFlags::empty(),
            1 => XattrFlags::CREATE,
            2 => XattrFlags::REPLACE,
            _ => return Err(Errno::INVAL),
        };
        again(|| place.set(xattr, value, flags))
    }

    fn list_xattrs(&self, at: Option<Name<'_>>) -> Result<Vec<u8>, Errno> {
        let place = system::XattrPlace::of(&self.0, at)?;
        let mut names = vec![0; XATTR_BYTES];
        let length = again(|| place.list(&mut names))?;
        names.truncate(length);
        Ok(names)
    }

    fn remove_xattr(&self, at: Option<Name<'_>>, xattr: &[u8]) -> Result<(), Errno> {
        let place = system::XattrPlace::of(&self.0, at)?;
        again(|| place.remove(xattr))
    }

    fn space(&self) -> Result<Space, Errno> {
        let said = again(|| fs::fstatvfs(&self.0))?;
        Ok(Space {
            block_bytes: u32::try_from(said.f_frsize).unwrap_or(4096),
            blocks: said.f_blocks,
            free: said.f_bfree,
            available: said.f_bavail,
            files: said.f_files,
            free_files: said.f_ffree,
            name_bytes: u32::try_from(said.f_namemax).unwrap_or(255),
        })
    }

    fn sync(&self) -> Result<(), Errno> {
        again(|| fs::fsync(&self.0))
    }
}

fn flags(access: Access) -> OFlags {
    let mut flags = match (access.read, access.write) {
        (_, false) => OFlags::RDONLY,
        (false, true) => OFlags::WRONLY,
        (true, true) => OFlags::RDWR,
    };
    // Whatever stands at the name by then, opening it must not wait.
    flags |= OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    flags.set(OFlags::APPEND, access.append);
    flags.set(OFlags::TRUNC, access.truncate);
    flags
}

#[allow(clippy::useless_conversion, reason = "modes of macOS have 16 bits")]
fn bits(mode: u32) -> Mode {
    Mode::from_bits_truncate((mode & 0o7777).try_into().unwrap_or(0))
}

fn kind(kind: fs::FileType) -> Option<Kind> {
    Some(match kind {
        fs::FileType::RegularFile => Kind::File,
        fs::FileType::Directory => Kind::Folder,
        fs::FileType::Symlink => Kind::SymbolicLink,
        fs::FileType::Fifo => Kind::Fifo,
        fs::FileType::Socket => Kind::Socket,
        fs::FileType::CharacterDevice => Kind::CharDevice,
        fs::FileType::BlockDevice => Kind::BlockDevice,
        fs::FileType::Unknown => return None,
    })
}

/// The times to set; nothing if neither is.
fn times(change: &Change) -> Option<Timestamps> {
    let omitted = Timespec { tv_sec: 0, tv_nsec: fs::UTIME_OMIT };
    let time = |time: Option<SetTime>| match time {
        None => omitted,
        Some(SetTime::Now) => Timespec { tv_sec: 0, tv_nsec: fs::UTIME_NOW },
        Some(SetTime::To(Moment { seconds, nanos })) => Timespec { tv_sec: seconds, tv_nsec: nanos.into() },
    };
    (change.accessed.is_some() || change.modified.is_some())
        .then(|| Timestamps { last_access: time(change.accessed), last_modification: time(change.modified) })
}

/// The largest value of an extended attribute, and the longest list: Linux's limit.
const XATTR_BYTES: usize = 64 * 1024;
