//! The folder of a container on the data disk.
//!
//! ```text
//! containers/ID/upper, work       the writable layer, for overlayfs
//! containers/ID/etc/hostname ...  files that the container sees in /etc
//! containers/ID/log               what it wrote
//! containers/.removed/ID          a folder on its way out; the rename is what makes a removal certain
//! ```

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use super::error::ContainersError;

/// The folder of all containers.
#[derive(Debug, Clone)]
pub(super) struct Folders(PathBuf);

/// The folder of one container.
#[derive(Debug, Clone)]
pub(super) struct Folder(PathBuf);

const REMOVED: &str = ".removed";

impl Folders {
    /// Makes the folder of all containers below `root`.
    pub(super) fn open(root: &Path) -> Result<Self, ContainersError> {
        let path = root.join("containers");
        make(&path.join(REMOVED), 0o700)?;
        Ok(Self(path))
    }

    pub(super) fn of(&self, id: &str) -> Folder {
        Folder(self.0.join(id))
    }

    /// Makes the folder of a new container.
    pub(super) fn create(&self, id: &str) -> Result<Folder, ContainersError> {
        let folder = self.of(id);
        // The root of overlayfs has the attributes of `upper`: every user of the container passes through it.
        for (path, mode) in
            [(&folder.0, 0o710), (&folder.upper(), 0o755), (&folder.work(), 0o700), (&folder.0.join("etc"), 0o755)]
        {
            make(path, mode)?;
        }
        Ok(folder)
    }

    /// Puts a folder out of the way, at once and for good. A folder that is not there is out of the way.
    pub(super) fn discard(&self, id: &str) -> Result<(), ContainersError> {
        match fs::rename(self.of(id).0, self.0.join(REMOVED).join(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", &self.of(id).0)(error)),
            _ => Ok(()),
        }
    }

    /// Frees what a discarded folder takes.
    pub(super) fn free(&self, id: &str) -> Result<(), ContainersError> {
        let path = self.0.join(REMOVED).join(id);
        crate::disk::free(&path).map_err(failed("remove", &path))
    }

    /// Ids of the folders that are there, and of those on their way out.
    pub(super) fn list(&self) -> Result<(Vec<String>, Vec<String>), ContainersError> {
        let mut present = names(&self.0)?;
        present.retain(|name| name != REMOVED);
        Ok((present, names(&self.0.join(REMOVED))?))
    }
}

impl Folder {
    pub(super) fn upper(&self) -> PathBuf {
        self.0.join("upper")
    }

    pub(super) fn work(&self) -> PathBuf {
        self.0.join("work")
    }

    pub(super) fn etc(&self, name: &str) -> PathBuf {
        self.0.join("etc").join(name)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.0.join("log")
    }
}

/// Bytes that the files below a folder take, each counted once.
pub(super) fn size_of(path: &Path) -> Result<u64, ContainersError> {
    use std::os::unix::fs::MetadataExt;
    let mut seen = std::collections::HashSet::new();
    let (mut bytes, mut pending) = (0, vec![path.to_owned()]);
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(&folder).map_err(failed("read", &folder))? {
            let entry = entry.map_err(failed("read", &folder))?;
            // A file may go away while this looks at it.
            let Ok(metadata) = entry.path().symlink_metadata() else { continue };
            if metadata.is_dir() {
                pending.push(entry.path());
            } else if metadata.nlink() == 1 || seen.insert(metadata.ino()) {
                bytes += metadata.len();
            }
        }
    }
    Ok(bytes)
}

fn make(path: &Path, mode: u32) -> Result<(), ContainersError> {
    fs::DirBuilder::new().recursive(true).mode(mode).create(path).map_err(failed("make", path))
}

fn names(path: &Path) -> Result<Vec<String>, ContainersError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(failed("read", path))? {
        let name = entry.map_err(failed("read", path))?.file_name();
        // Ids are what this module writes; another name is none of its business.
        names.extend(name.into_string());
    }
    Ok(names)
}

/// Puts what was tried, and on what, around an error of the system.
pub(super) fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> ContainersError + use<'a> {
    move |source| ContainersError::Files { action, path: path.to_owned(), source }
}
