//! Copying a tree by descriptors: owners, modes, times, extended attributes, hard links, and links as data. What is copied
//! may be hostile; nothing of it is followed, and nobody else sees the copy before it is complete.

use std::{
    collections::HashMap,
    ffi::CStr,
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{
        AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, XattrFlags, chownat, fchmod,
        fchown, fgetxattr, flistxattr, fsetxattr, fstat, futimens, linkat, mkdirat, mknodat, openat, readlinkat,
        statat, symlinkat, utimensat,
    },
    io::Errno,
};

/// Opens a folder for reading.
pub(super) const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Deepest tree that is walked: each level holds descriptors, of which the agent has 1024.
pub(super) const DEEPEST: usize = 200;

/// At which file, and why.
#[derive(Debug)]
pub(super) struct CopyError {
    pub(super) file: PathBuf,
    pub(super) source: io::Error,
}

/// Copies what is in a folder, and its own attributes, into another one that is empty.
pub(super) fn tree(from: &OwnedFd, to: &OwnedFd) -> Result<(), CopyError> {
    let mut copy = Copy { root: to.as_fd(), path: PathBuf::new(), links: HashMap::new(), depth: 0 };
    let copied = copy.folder(from.as_fd(), to.as_fd());
    copied.map_err(|errno| CopyError { file: copy.path, source: errno.into() })
}

struct Copy<'a> {
    root: BorrowedFd<'a>,
    /// Of the file that is being copied, below both roots.
    path: PathBuf,
    /// Files with several names, and the first copied name of each.
    links: HashMap<(u64, u64), PathBuf>,
    depth: usize,
}

impl Copy<'_> {
    fn folder(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<(), Errno> {
        if self.depth >= DEEPEST {
            return Err(Errno::NAMETOOLONG);
        }
        self.depth += 1;
        for entry in Dir::read_from(from)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            self.path.push(std::ffi::OsStr::from_bytes(name.to_bytes()));
            self.entry(from, to, name)?;
            self.path.pop();
        }
        self.depth -= 1;
        attributes(from, to)
    }

    fn entry(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
        let facts = statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = FileType::from_raw_mode(facts.st_mode);
        if kind == FileType::Directory {
            mkdirat(to, name, Mode::from_raw_mode(0o700))?;
            let open = |parent: BorrowedFd<'_>| openat(parent, name, FOLDER | OFlags::NOFOLLOW, Mode::empty());
            return self.folder(open(from)?.as_fd(), open(to)?.as_fd());
        }
        if facts.st_nlink > 1 {
            if let Some(first) = self.links.get(&(facts.st_dev, facts.st_ino)) {
                return linkat(self.root, first, to, name, AtFlags::empty());
            }
            self.links.insert((facts.st_dev, facts.st_ino), self.path.clone());
        }
        match kind {
            FileType::RegularFile => file(from, to, name),
            FileType::Symlink => {
                symlinkat(&readlinkat(from, name, Vec::new())?, to, name)?;
                attributes_of_name(&facts, to, name)
            }
            // Whoever listened there is not part of an image: tar has none either.
            FileType::Socket => Ok(()),
            kind => {
                mknodat(to, name, kind, Mode::from_raw_mode(facts.st_mode & 0o7777), facts.st_rdev)?;
                attributes_of_name(&facts, to, name)
            }
        }
    }
}

fn file(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    let read = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut from = File::from(openat(from, name, read, Mode::empty())?);
    let make = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut to = File::from(openat(to, name, make, Mode::from_raw_mode(0o600))?);
    io::copy(&mut from, &mut to).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    attributes(from.as_fd(), to.as_fd())
}

/// Gives a file the owner, mode, extended attributes and times of another. In this order: a change of the owner takes
/// set-user-id bits and file capabilities away.
pub(super) fn attributes(from: impl AsFd, to: impl AsFd) -> Result<(), Errno> {
    let facts = fstat(&from)?;
    fchown(&to, Some(Uid::from_raw(facts.st_uid)), Some(Gid::from_raw(facts.st_gid)))?;
    fchmod(&to, Mode::from_raw_mode(facts.st_mode & 0o7777))?;
    for name in extended(&from)? {
        let value = attribute(&from, &name)?;
        fsetxattr(&to, name.as_slice(), &value, XattrFlags::empty())?;
    }
    futimens(to, &times(&facts))
}

/// The same for what cannot be opened without being followed or waited for.
fn attributes_of_name(facts: &Stat, to: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    let (user, group) = (Uid::from_raw(facts.st_uid), Gid::from_raw(facts.st_gid));
    chownat(to, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(facts.st_mode) != FileType::Symlink {
        // It has just been made here, and nobody else is here: it is no link.
        rustix::fs::chmodat(to, name, Mode::from_raw_mode(facts.st_mode & 0o7777), AtFlags::empty())?;
    }
    utimensat(to, name, &times(facts), AtFlags::SYMLINK_NOFOLLOW)
}

/// Names of extended attributes. The kernel's own namespace is not an image's to fill: overlayfs looks there.
fn extended(file: impl AsFd) -> Result<Vec<Vec<u8>>, Errno> {
    let mut list = vec![0; 64 * 1024];
    let length = match flistxattr(file, list.as_mut_slice()) {
        Err(Errno::OPNOTSUPP) => 0,
        length => length?,
    };
    let names = list[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.filter(|name| !name.starts_with(b"trusted.")).map(<[u8]>::to_vec).collect())
}

fn attribute(file: impl AsFd, name: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut value = vec![0; 64 * 1024];
    let length = fgetxattr(file, name, value.as_mut_slice())?;
    value.truncate(length);
    Ok(value)
}

/// When a file was read and written last.
pub(super) fn times(facts: &Stat) -> Timestamps {
    let time = |seconds: i64, nanos: u64| Timespec { tv_sec: seconds, tv_nsec: i64::try_from(nanos).unwrap_or(0) };
    Timestamps {
        last_access: time(facts.st_atime, facts.st_atime_nsec),
        last_modification: time(facts.st_mtime, facts.st_mtime_nsec),
    }
}

/// Whether nothing is in a folder.
pub(super) fn is_empty(path: &Path) -> io::Result<bool> {
    Ok(std::fs::read_dir(path)?.next().is_none())
}
