//! The folders of volumes. Their own paths, which no container can change: a container sees `_data` and what is in it.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::error::VolumesError;
use crate::{disk, names};

const REMOVED: &str = ".removed";

/// The folder of all volumes.
pub(super) struct Folders(PathBuf);

impl Folders {
    /// Makes the folder of all volumes below `root`.
    pub(super) fn open(root: &Path) -> Result<Self, VolumesError> {
        let path = root.join("volumes");
        make(&path.join(REMOVED), 0o700)?;
        Ok(Self(path))
    }

    /// What containers see.
    pub(super) fn data(&self, name: &str) -> PathBuf {
        self.0.join(name).join("_data")
    }

    /// Where a copy is made.
    pub(super) fn filling(&self, name: &str) -> PathBuf {
        self.0.join(name).join("_fill")
    }

    /// Where a complete copy is.
    pub(super) fn moving(&self, name: &str) -> PathBuf {
        self.0.join(name).join("_move")
    }

    /// Makes the folder of a volume; on the disk when this returns.
    pub(super) fn create(&self, name: &str) -> Result<(), VolumesError> {
        make(&self.0.join(name), 0o701)?;
        let data = self.data(name);
        make(&data, 0o755)?;
        // Whatever the mask of this process is.
        fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).map_err(failed("make", &data))?;
        self.sync()
    }

    /// Puts the folder of a volume out of the way, at once and for good; says where it is now.
    pub(super) fn discard(&self, name: &str) -> Result<PathBuf, VolumesError> {
        let away = self.0.join(REMOVED).join(names::new_id()?);
        let path = self.0.join(name);
        match fs::rename(&path, &away) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &path)(error)),
            _ => {}
        }
        self.sync()?;
        Ok(away)
    }

    /// Frees what a discarded folder takes.
    pub(super) fn free(away: &Path) -> Result<(), VolumesError> {
        disk::free(away).map_err(failed("remove", away))
    }

    /// Names of the volumes that have a folder, and the folders that are on their way out.
    pub(super) fn list(&self) -> Result<(Vec<String>, Vec<PathBuf>), VolumesError> {
        let mut present = Vec::new();
        for entry in entries(&self.0)? {
            // What this module has not made is none of its business.
            let name = entry.file_name().into_string().ok().filter(|name| names::is_valid(name));
            present.extend(name);
        }
        let removed = entries(&self.0.join(REMOVED))?.into_iter().map(|entry| entry.path()).collect();
        Ok((present, removed))
    }

    /// A rename or a new folder is then on the disk.
    pub(super) fn sync(&self) -> Result<(), VolumesError> {
        fs::File::open(&self.0).and_then(|folder| folder.sync_all()).map_err(failed("sync", &self.0))
    }
}

pub(super) fn make(path: &Path, mode: u32) -> Result<(), VolumesError> {
    fs::DirBuilder::new().recursive(true).mode(mode).create(path).map_err(failed("make", path))
}

fn entries(path: &Path) -> Result<Vec<fs::DirEntry>, VolumesError> {
    let read = || fs::read_dir(path)?.collect::<io::Result<Vec<_>>>();
    read().map_err(failed("read", path))
}

/// Puts what was tried, and on what, around an error of the system.
pub(super) fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> VolumesError + use<'a> {
    move |source| VolumesError::Files { action, path: path.to_owned(), source }
}
