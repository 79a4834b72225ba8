//! The root of a container, as a descriptor that no path leads out of: each lookup is one by the kernel with
//! RESOLVE_IN_ROOT, or goes one name at a time from a descriptor below it. Nothing here changes the root of a process or
//! runs anything of the container (CVE-2018-15664, CVE-2019-14271).

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{FileType, Mode, OFlags, ResolveFlags, Stat, fstat, fstatfs, openat, readlinkat},
    io::Errno,
};

use super::FilesError;
use crate::{rootfs::target, user_namespaces::Owners, within::openat2};

/// File systems of the kernel's own, which are not a container's files: procfs, sysfs, cgroup2, devpts, mqueue.
const KERNELS_OWN: [u64; 5] = [0x9fa0, 0x6265_6572, 0x6367_7270, 0x1cd1, 0x1980_0202];

/// As many symbolic links as the kernel follows itself.
const MAX_LINKS: usize = 40;

/// The root of a container.
pub(super) struct Root {
    place: OwnedFd,
    /// The file system of its /dev, where that is not the root's.
    devices: Option<u64>,
    /// By which ids its files are seen from here.
    owners: Owners,
}

impl Root {
    pub(super) fn new(place: OwnedFd) -> rustix::io::Result<Self> {
        let own = fstat(&place)?.st_dev;
        let devices = target::find(&place, "dev").and_then(fstat).ok().map(|facts| facts.st_dev);
        let devices = devices.filter(|devices| *devices != own);
        Ok(Self { place, devices, owners: Owners::default() })
    }

    /// The same, whose files are seen by these ids.
    pub(super) fn seen_by(self, owners: Owners) -> Self {
        Self { owners, ..self }
    }

    /// By which ids its files are seen.
    pub(super) fn owners(&self) -> Owners {
        self.owners
    }

    /// What is at a path; a link at its end is followed.
    pub(super) fn find(&self, path: &str) -> Result<OwnedFd, FilesError> {
        self.open(path, OFlags::empty()).map_err(|errno| FilesError::of(path, errno))
    }

    /// What is at a path, itself. A slash after the name of a link follows it, as everywhere.
    pub(super) fn find_itself(&self, path: &str) -> Result<OwnedFd, FilesError> {
        self.open(path, OFlags::NOFOLLOW).map_err(|errno| FilesError::of(path, errno))
    }

    fn open(&self, path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        // An empty path is no path to the kernel, and the root to dockerd.
        let asked = if path.is_empty() { "/" } else { path };
        let place = openat2(&self.place, asked, flags | OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)?;
        if self.is_hidden(&place)? { Err(Errno::NOENT) } else { Ok(place) }
    }

    /// The folder at a path below the folder `base`, made if there is none.
    pub(super) fn folder_or_make(&self, base: &str, path: &Path) -> rustix::io::Result<OwnedFd> {
        let place = target::find_or_make(&self.place, Path::new(base).join(path), target::Make::Folder)?;
        match (target::kind(&place)?, self.is_hidden(&place)?) {
            (FileType::Directory, false) => Ok(place),
            (FileType::Directory, true) => Err(Errno::PERM),
            _ => Err(Errno::NOTDIR),
        }
    }

    /// Whether something is the kernel's or the engine's, and not among the container's files.
    pub(super) fn is_hidden(&self, place: impl AsFd) -> rustix::io::Result<bool> {
        if self.devices == Some(fstat(&place)?.st_dev) {
            return Ok(true);
        }
        let kind = u64::try_from(fstatfs(&place)?.f_type).unwrap_or_default();
        Ok(KERNELS_OWN.contains(&kind))
    }

    /// Where the link at a path leads in the end, as far as there is something (moby's `FollowSymlinkInScope`).
    pub(super) fn end_of_link(&self, path: &str) -> Result<String, FilesError> {
        let mut names: Vec<String> = parts(path).rev().map(str::to_owned).collect();
        let mut at: Vec<String> = Vec::new();
        let mut links = 0;
        while let Some(name) = names.pop() {
            if name == ".." {
                at.pop();
                continue;
            }
            at.push(name);
            let so_far = format!("/{}", at.join("/"));
            let Ok(place) = self.open(&so_far, OFlags::NOFOLLOW) else { continue };
            if target::kind(&place).map_err(|errno| FilesError::of(path, errno))? != FileType::Symlink {
                continue;
            }
            links += 1;
            if links > MAX_LINKS {
                return Err(FilesError::of(path, Errno::LOOP));
            }
            let goal = readlinkat(&place, "", Vec::new()).map_err(|errno| FilesError::of(path, errno))?;
            let goal = goal.to_string_lossy();
            at.pop();
            if goal.starts_with('/') {
                at.clear();
            }
            names.extend(parts(&goal).rev().map(str::to_owned));
        }
        Ok(format!("/{}", at.join("/")))
    }
}

fn parts(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".")
}

/// Opens a folder for reading what is in it.
pub(super) fn readable(place: impl AsFd) -> rustix::io::Result<OwnedFd> {
    openat(place, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Opens the folder `name` of `parent`; it is no link.
pub(super) fn child(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

/// Opens the regular file `name` of `parent`, whatever has taken its name since somebody looked.
pub(super) fn file(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<(OwnedFd, Stat)> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(parent, name, flags, Mode::empty())?;
    let facts = fstat(&file)?;
    match FileType::from_raw_mode(facts.st_mode) {
        FileType::RegularFile => Ok((file, facts)),
        _ => Err(Errno::STALE),
    }
}
