//! A container that starts sees folders of the host; one that has ended sees them no more.

use std::{
    collections::BTreeSet,
    os::fd::{AsRawFd as _, OwnedFd},
    path::{Path, PathBuf},
    sync::Arc,
};

use cove_proto::v1::HostFolderOpened;
use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    io::Errno,
    mount::{MountAttrFlags, UnmountFlags, unmount},
};

use super::{
    Mounted, Served, Shares, SharesError, Wanted,
    device::{self, Device, place, pump},
    docker_api::{self, Listening},
    error::failed,
    keep::Note,
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
        match self.take_up(mount, &path, &wanted, opened).await {
            Ok(served) => {
                let containers = BTreeSet::from([container.to_owned()]);
                self.insert(mount, Mounted { wanted, path: path.clone(), served, containers });
                Ok(path)
            }
            Err(error) => {
                self.tell_closed(mount);
                Err(error)
            }
        }
    }

    /// Makes what a container is to see, and has it kept for the next agent.
    async fn take_up(
        &self,
        mount: u64,
        path: &Path,
        wanted: &Wanted,
        opened: HostFolderOpened,
    ) -> Result<Served, SharesError> {
        let note = Note { mount, wanted: wanted.clone(), docker_api: opened.docker_api };
        let (place, owner) = (path.to_owned(), wanted.owner);
        let made = tokio::task::spawn_blocking(move || {
            if opened.docker_api { docker_api::bind(&place, owner) } else { attach(&place, opened) }
        });
        let descriptor = made.await.unwrap_or(Err(SharesError::NoHost))?;
        let copy = descriptor.try_clone().map_err(failed("keep it for the next agent"))?;
        let served = self.serve_by(&note, descriptor)?;
        self.0.keep.keep(note.name(), copy).await;
        Ok(served)
    }

    /// Begins to serve by what was made, now or by an earlier agent.
    pub(super) fn serve_by(&self, note: &Note, descriptor: OwnedFd) -> Result<Served, SharesError> {
        if note.docker_api {
            let listening = Listening::on(descriptor, self.0.host.clone(), note.wanted.share.clone())?;
            return Ok(Served::DockerApi { _accepts: Arc::new(listening) });
        }
        Ok(Served::Files(Arc::new(Device::new(descriptor)?)))
    }

    /// Notes it, and passes its messages on from then on.
    pub(super) fn insert(&self, mount: u64, mounted: Mounted) {
        let served = mounted.served.clone();
        self.mounts().mounted.insert(mount, mounted);
        if let Served::Files(device) = served {
            tokio::spawn(pump(self.clone(), mount, device));
        }
    }

    fn join(&self, container: &str, wanted: &Wanted) -> Option<PathBuf> {
        let mut mounts = self.mounts();
        let mounted = mounts.mounted.values_mut().find(|mounted| mounted.wanted == *wanted)?;
        mounted.containers.insert(container.to_owned());
        Some(mounted.path.clone())
    }

    /// A container sees none of them any more. What nobody sees is unmounted.
    pub fn close(&self, container: &str) {
        for mounted in self.mounts().mounted.values_mut() {
            mounted.containers.remove(container);
        }
        self.close_unused();
    }

    /// Takes away what no container sees.
    pub fn close_unused(&self) {
        let unused: Vec<(u64, Mounted)> =
            self.mounts().mounted.extract_if(|_, mounted| mounted.containers.is_empty()).collect();
        for (mount, mounted) in unused {
            let Mounted { wanted, path, served, .. } = mounted;
            let docker_api = matches!(served, Served::DockerApi { .. });
            remove(&path);
            self.tell_closed(mount);
            let keep = Arc::clone(&self.0.keep);
            tokio::spawn(async move { keep.keep_no_more(Note { mount, wanted, docker_api }.name()).await });
        }
    }
}

/// Takes away what is mounted at a path, and the place. What a container still holds of it ends with the container.
pub(super) fn remove(path: &Path) {
    match unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
        // A socket is mounted in containers alone.
        Ok(()) | Err(Errno::INVAL) => {}
        Err(errno) => {
            tracing::warn!(path = %path.display(), error = %std::io::Error::from(errno), "a folder of the host stays mounted");
        }
    }
    let _gone = std::fs::remove_dir(path).or_else(|_| std::fs::remove_file(path));
}

/// Mounts at a path, and gives back what the kernel's messages come from.
fn attach(path: &Path, opened: HostFolderOpened) -> Result<OwnedFd, SharesError> {
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
