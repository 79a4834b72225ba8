//! In what the files of a container differ from its image's: what its writable layer has, beside the layers below.
//!
//! A folder counts as changed if something in it is or if it has another owner or other permissions, whenever it was
//! written to, as in moby's `archive.ChangesDirs`. What the engine put there to mount on is no change.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, fgetxattr, fstat, openat, statat},
    io::Errno,
};

use super::{FilesError, read::names, root};
use crate::{
    containers::{Containers, ContainersError, blocking},
    images::Privilege,
};

/// Where the engine mounts something in every container: empty files and folders there are its own (moby's init layer).
const ENGINES_OWN: [&[u8]; 12] = [
    b"dev",
    b"dev/console",
    b"dev/mqueue",
    b"dev/pts",
    b"dev/shm",
    b"etc/hostname",
    b"etc/hosts",
    b"etc/mtab",
    b"etc/resolv.conf",
    b".dockerenv",
    b"proc",
    b"sys",
];

/// Deepest tree that is compared: each level holds three descriptors, of which the agent has 1024.
const DEEPEST: usize = 200;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was there, and is another.
    Modified,
    /// It was not there.
    Added,
    /// It is not there any more.
    Deleted,
}

/// A difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which file, without a slash before.
    pub path: Vec<u8>,
    /// What became of it.
    pub kind: ChangeKind,
}

impl Containers {
    /// Says in what the files of a container differ from its image's, in order of the paths.
    ///
    /// # Errors
    /// If there is no such container, or its files cannot be read.
    pub async fn file_changes(&self, container: &str) -> Result<Vec<Change>, ContainersError> {
        let entry = self.find(container)?;
        let containers = self.clone();
        blocking(move || {
            let layers = containers.layers(&entry.id)?;
            Ok(layers.changes()?)
        })
        .await
    }

    /// The writable layer of a container, and what is below it.
    pub(super) fn layers(&self, id: &str) -> Result<Layers, ContainersError> {
        let upper = self.0.folders.of(id).upper();
        let below = self.0.images.held(id)?.layers;
        let below = self.0.launcher.open_layers(&below);
        let below = below.map_err(|error| FilesError::View(Box::new(error)))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let upper = openat(CWD, &upper, flags, Mode::empty()).map_err(|errno| FilesError::View(Box::new(errno)))?;
        Ok(Layers { upper, below, opaque: Privilege::Full.opaque_attribute() })
    }
}

/// A writable layer, and what is below it.
pub(super) struct Layers {
    pub(super) upper: OwnedFd,
    pub(super) below: OwnedFd,
    /// Attribute of folders that show nothing of what is below.
    pub(super) opaque: &'static str,
}

impl Layers {
    /// The differences, in order of the paths.
    pub(super) fn changes(&self) -> Result<Vec<Change>, FilesError> {
        let below = root::readable(&self.below).map_err(|errno| FilesError::of("/", errno))?;
        let mut comparison = Comparison { opaque: self.opaque, changes: Vec::new() };
        comparison.folder(self.upper.as_fd(), Some(below.as_fd()), b"", 0)?;
        Ok(comparison.changes)
    }
}

struct Comparison {
    opaque: &'static str,
    changes: Vec<Change>,
}

impl Comparison {
    /// Compares what is in a folder.
    fn folder(
        &mut self,
        upper: BorrowedFd<'_>,
        below: Option<BorrowedFd<'_>>,
        path: &[u8],
        depth: usize,
    ) -> Result<(), FilesError> {
        let failed = |errno| FilesError::of(&String::from_utf8_lossy(path), errno);
        if depth > DEEPEST {
            return Err(failed(Errno::NAMETOOLONG));
        }
        let mut all: Vec<(Vec<u8>, bool)> =
            names(upper).map_err(failed)?.into_iter().map(|name| (name, true)).collect();
        if let Some(below) = below.filter(|_| is_opaque(upper, self.opaque)) {
            // What such a folder does not have itself is gone.
            let gone = names(below).map_err(failed)?;
            let gone: Vec<_> = gone.into_iter().filter(|name| !all.iter().any(|(known, _)| known == name)).collect();
            all.extend(gone.into_iter().map(|name| (name, false)));
            all.sort();
        }
        for (name, is_there) in all {
            let path = if path.is_empty() { name.clone() } else { [path, b"/", &name].concat() };
            if is_there {
                self.entry(upper, below, &name, path, depth)?;
            } else {
                self.changes.push(Change { path, kind: ChangeKind::Deleted });
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        upper: BorrowedFd<'_>,
        below: Option<BorrowedFd<'_>>,
        name: &[u8],
        path: Vec<u8>,
        depth: usize,
    ) -> Result<(), FilesError> {
        let failed = |errno| FilesError::of(&String::from_utf8_lossy(&path), errno);
        let Some(facts) = lookup(upper, name).map_err(failed)? else { return Ok(()) };
        let was = below.map(|below| lookup(below, name)).transpose().map_err(failed)?.flatten();
        let kind = FileType::from_raw_mode(facts.st_mode);
        if kind == FileType::CharacterDevice && facts.st_rdev == 0 {
            if was.is_some() {
                self.changes.push(Change { path, kind: ChangeKind::Deleted });
            }
            return Ok(());
        }
        let engines = ENGINES_OWN.contains(&path.as_slice());
        if kind != FileType::Directory {
            if engines && facts.st_size == 0 {
                return Ok(());
            }
            let kind = if was.is_some() { ChangeKind::Modified } else { ChangeKind::Added };
            self.changes.push(Change { path, kind });
            return Ok(());
        }
        let was = was.filter(|was| FileType::from_raw_mode(was.st_mode) == FileType::Directory);
        let folder = root::child(upper, name).map_err(failed)?;
        let below_folder = match (below, was) {
            (Some(below), Some(_)) => Some(root::child(below, name).map_err(failed)?),
            _ => None,
        };
        // Its own change comes before those of what is in it, and depends on them.
        let place = self.changes.len();
        let below_folder = below_folder.as_ref().map(AsFd::as_fd);
        self.folder(folder.as_fd(), below_folder, &path, depth + 1)?;
        let facts = fstat(&folder).map_err(failed)?;
        let has_changes = self.changes.len() > place;
        let kind = match was {
            None if engines && !has_changes => return Ok(()),
            None => ChangeKind::Added,
            Some(was) if has_changes || is_other(&was, &facts) => ChangeKind::Modified,
            Some(_) => return Ok(()),
        };
        self.changes.insert(place, Change { path, kind });
        Ok(())
    }
}

fn lookup(folder: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<Option<Stat>> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(None),
        facts => facts.map(Some),
    }
}

fn is_other(was: &Stat, is: &Stat) -> bool {
    (was.st_mode, was.st_uid, was.st_gid) != (is.st_mode, is.st_uid, is.st_gid)
}

/// Whether a folder of a writable layer shows nothing of what is below it.
pub(super) fn is_opaque(folder: BorrowedFd<'_>, attribute: &str) -> bool {
    let mut value = [0; 4];
    matches!(fgetxattr(folder, attribute, &mut value[..]), Ok(1) if value[0] == b'y')
}
