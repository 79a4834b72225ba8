//! A container that starts sees folders of the host; one that has ended sees them no more.

use std::{
    collections::BTreeSet,
    os::fd::{AsRawFd as _, OwnedFd},
    path::PathBuf,
    sync::Arc,
};

use cove_proto::v1::HostFolderOpened;
use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    mount::{MountAttrFlags, UnmountFlags, unmount},
};

use super::{
    Mounted, Shares, SharesError, Wanted,
    device::{self, Device, place, pump},
    error::failed,
};
use crate::rootfs::mounts;

impl Shares {
    /// A container is to see a folder or a file of the host: says where it is mounted in the guest.
    ///
    /// # Errors
    /// If the host refuses, nobody serves, or the kernel does not mount it.
    pub async fn open(&self, container: &str, wanted: Wanted) -> Result<PathBuf, SharesError> {
        let _alone = self.0.opening.lock().await;
        if let Some(path) = self.join(container, &wanted) {
            return Ok(path);
        }
        let mount = {
            let mut mounts = self.mounts();
            mounts.next += 1;
            mounts.next
        };
        let opened = self.ask_to_open(mount, &wanted).await?;
        let path = self.0.folder.join(mount.to_string());
        let place = path.clone();
        let attached = tokio::task::spawn_blocking(move || attach(&place, opened)).await;
        let device = attached.unwrap_or(Err(SharesError::NoHost)).and_then(Device::new);
        let device = match device {
            Ok(device) => Arc::new(device),
            Err(error) => {
                self.tell_closed(mount);
                return Err(error);
            }
        };
        let containers = BTreeSet::from([container.to_owned()]);
        let mounted = Mounted { wanted, path: path.clone(), device: Arc::clone(&device), containers };
        self.mounts().mounted.insert(mount, mounted);
        tokio::spawn(pump(self.clone(), mount, device));
        Ok(path)
    }

    fn join(&self, container: &str, wanted: &Wanted) -> Option<PathBuf> {
        let mut mounts = self.mounts();
        let mounted = mounts.mounted.values_mut().find(|mounted| mounted.wanted == *wanted)?;
        mounted.containers.insert(container.to_owned());
        Some(mounted.path.clone())
    }

    /// A container sees none of them any more. What nobody sees is unmounted.
    pub fn close(&self, container: &str) {
        let mut unused = Vec::new();
        self.mounts().mounted.retain(|number, mounted| {
            mounted.containers.remove(container);
            let used = !mounted.containers.is_empty();
            if !used {
                unused.push((*number, mounted.path.clone()));
            }
            used
        });
        for (number, path) in unused {
            // What the container still holds of it ends with the container.
            if let Err(errno) = unmount(&path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
                tracing::warn!(path = %path.display(), error = %std::io::Error::from(errno), "a folder of the host stays mounted");
            }
            let _gone = std::fs::remove_dir(&path).or_else(|_| std::fs::remove_file(&path));
            self.tell_closed(number);
        }
    }
}

/// Mounts at a path, and gives back what the kernel's messages come from.
fn attach(path: &std::path::Path, opened: HostFolderOpened) -> Result<OwnedFd, SharesError> {
    if let Some(above) = path.parent() {
        std::fs::create_dir_all(above).map_err(failed("make its folder"))?;
    }
    place(path, opened.folder).map_err(failed("make its place"))?;
    let device = device::open()?;
    let descriptor = device.as_raw_fd().to_string();
    let mode = if opened.folder { "40000" } else { "100000" };
    let mut options =
        vec![("fd", descriptor.as_str()), ("rootmode", mode), ("user_id", "0"), ("group_id", "0"), ("allow_other", "")];
    if opened.check_permissions {
        options.push(("default_permissions", ""));
    }
    // Programs of the host may run in a container; its devices and its set-user-id bits mean nothing there.
    let attributes = MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOSUID;
    let mount = mounts::new("fuse", &options, attributes).map_err(failed("fuse"))?;
    let place = openat(CWD, path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
    mounts::attach(mount, place.map_err(failed("open its place"))?).map_err(failed("attach it"))?;
    Ok(device)
}
