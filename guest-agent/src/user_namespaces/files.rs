//! How files belong to whom a container takes for their owner.

use std::{
    fs, io,
    os::fd::AsFd,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
};

use nix::unistd::{Gid, Uid, setfsgid, setfsuid};
use rustix::{
    fs::{Mode, OFlags, open},
    thread::{capabilities, set_capabilities},
};

use super::ROOT;
use crate::{disk, rootfs::mounts, sys::mount::map_owners};

/// Where the data disk is mounted a second time, with the owners that a container sees. overlayfs takes as its layers only
/// what is mounted somewhere (before Linux 6.15). It is not there before the first container that needs it: all mounts of
/// the guest are copied at each start.
pub const DISK: &str = "/cove/remapped";

static MOUNTING: Mutex<()> = Mutex::new(());

/// A path of the data disk with the owners that the containers of this user namespace see, which are those of all.
///
/// # Errors
/// If it cannot be mounted; [`io::ErrorKind::InvalidInput`] for a path elsewhere.
pub fn below_disk(path: &Path, user_namespace: impl AsFd) -> io::Result<PathBuf> {
    let below = path.strip_prefix(disk::MOUNT_POINT).map_err(|_| io::ErrorKind::InvalidInput)?;
    let _alone = MOUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let place = Path::new(DISK);
    if !mounts::is_mount_point(place) {
        fs::create_dir_all(place)?;
        let at = |path| open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        let copy = mounts::detached_copy(at(Path::new(disk::MOUNT_POINT))?)?;
        map_owners(&copy, user_namespace)?;
        mounts::attach(copy, at(place)?)?;
    }
    Ok(place.join(below))
}

/// Does something as one whose files are a container's root's, and who may do all that the agent may. overlayfs keeps for
/// ever who has mounted it, and makes files of its own as that one: in layers with other owners, the guest's root is nobody.
///
/// # Errors
/// If there is no thread for it; what is done has its own.
pub fn as_root_of_containers<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    // A thread of its own: it ends as whom it has become.
    thread::scope(|scope| {
        let done = thread::Builder::new().name("remapped".to_owned()).spawn_scoped(scope, || {
            let may = capabilities(None)?;
            setfsgid(Gid::from_raw(ROOT));
            setfsuid(Uid::from_raw(ROOT));
            // The kernel takes away what lets root override permissions.
            set_capabilities(None, may)?;
            Ok(work())
        })?;
        done.join().unwrap_or_else(|_| Err(io::Error::other("the thread has panicked")))
    })
}
