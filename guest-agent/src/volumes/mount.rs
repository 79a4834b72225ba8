//! What containers that run see of volumes. A volume with a file system of its own has it mounted as long as one of them
//! runs; all see the same.

use std::{io, path::Path};

use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    io::Errno,
    mount::{UnmountFlags, unmount},
};

use super::{Volumes, error::VolumesError, events::Told, options};
use crate::rootfs::{mounts, tmpfs::Tmpfs};

/// Where a container sees a volume.
#[derive(Debug, Clone, Copy)]
pub struct MountedAt<'a> {
    /// Name of the volume.
    pub volume: &'a str,
    /// Path in the container.
    pub destination: &'a str,
    /// Whether it can be written to.
    pub read_write: bool,
}

impl Volumes {
    /// A container that starts will see a volume. Its file system, if it has one, is mounted when this returns.
    ///
    /// # Errors
    /// If there is no such volume, or its file system cannot be mounted.
    pub fn mount(&self, container: &str, at: MountedAt<'_>) -> Result<(), VolumesError> {
        let mut volumes = self.0.volumes();
        let volume = volumes.get_mut(at.volume).ok_or_else(|| VolumesError::NoSuchVolume(at.volume.to_owned()))?;
        if volume.mounted_by.is_empty()
            && let Some(tmpfs) = tmpfs_of(at.volume, &volume.record.options)?
        {
            let path = self.0.folders.data(at.volume);
            mount_afresh(&tmpfs, &path).map_err(|source| VolumesError::Mount { path, source: source.into() })?;
        }
        volume.mounted_by.insert(container.to_owned());
        drop(volumes);
        let MountedAt { volume, destination, read_write } = at;
        self.tell(volume, Told::Mount { container, destination, read_write });
        Ok(())
    }

    /// A container that runs since before the agent started sees a volume.
    pub fn mounted(&self, container: &str, name: &str) {
        if let Some(volume) = self.0.volumes().get_mut(name) {
            volume.mounted_by.insert(container.to_owned());
        }
    }

    /// A container that saw a volume has ended. Its file system, if it has one, goes with the last of them.
    pub fn unmount(&self, container: &str, name: &str) {
        let mut volumes = self.0.volumes();
        let Some(volume) = volumes.get_mut(name) else { return };
        if !volume.mounted_by.remove(container) {
            return;
        }
        if volume.mounted_by.is_empty() && !volume.record.options.is_empty() {
            let path = self.0.folders.data(name);
            if let Err(errno) = unmount(&path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
                tracing::warn!(volume = name, error = %io::Error::from(errno), "the file system of a volume stays mounted");
            }
        }
        drop(volumes);
        self.tell(name, Told::Unmount { container });
    }
}

fn tmpfs_of(name: &str, options: &std::collections::BTreeMap<String, String>) -> Result<Option<Tmpfs>, VolumesError> {
    options::tmpfs(options).map_err(|source| VolumesError::Option { name: name.to_owned(), source })
}

/// What is still mounted there was left behind by containers that ended while no agent was there.
fn mount_afresh(tmpfs: &Tmpfs, path: &Path) -> Result<(), Errno> {
    if mounts::is_mount_point(path) {
        unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)?;
    }
    let place =
        openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    mounts::attach(tmpfs.mount()?, place)
}
