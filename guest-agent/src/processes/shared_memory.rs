//! What containers have at /dev/shm when others may have it as well: a file system for each container whose IPC namespace
//! can be shared, and one for all that share the guest's.
//!
//! They are mounted in the guest, where another container finds them by the id of the first, also after the agent has been
//! started anew. Each start copies the guest's mounts, so there is one only for a container that asks for it.

use std::{
    fs, io,
    os::fd::{BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    mount::UnmountFlags,
};

use super::launch::SharedMemory;
use crate::rootfs::{devices, mounts};

/// Where they are mounted: a folder of each id.
const FOLDER: &str = "/run/shared-memory";

/// The folder of what all have that share the guest's IPC namespace; no id is so short.
const GUEST: &str = "guest";

/// Size of the guest's, in bytes: Docker's for a container.
const GUEST_BYTES: u64 = 64 * 1024 * 1024;

/// What a container that is about to start gets, as a mount attached nowhere; `None` when nobody else can have it.
///
/// # Errors
/// What the kernel says; ENOENT when the other container does not share its own.
pub(super) fn prepare(
    id: &str,
    memory: &SharedMemory,
    bytes: u64,
    user_namespace: Option<BorrowedFd<'_>>,
) -> io::Result<Option<OwnedFd>> {
    let folder = match memory {
        SharedMemory::Private | SharedMemory::Absent => return Ok(None),
        SharedMemory::Of(other) => folder(other),
        SharedMemory::Shareable => {
            forget(id);
            mounted(&folder(id), bytes)?
        }
        SharedMemory::Guest if folder(GUEST).exists() => folder(GUEST),
        SharedMemory::Guest => mounted(&folder(GUEST), GUEST_BYTES)?,
    };
    let place = openat(CWD, &folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let copy = mounts::detached_copy(place)?;
    mounts::map_owners(&copy, user_namespace)?;
    Ok(Some(copy))
}

/// Unmounts what a container shared; containers that have it too keep it.
pub(super) fn forget(id: &str) {
    let folder = folder(id);
    if !folder.exists() {
        return;
    }
    let unmounted = rustix::mount::unmount(&folder, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW);
    if let Err(error) = unmounted.map_err(io::Error::from).and_then(|()| fs::remove_dir(&folder)) {
        tracing::warn!(container = %id, %error, "the shared memory of a container stays mounted");
    }
}

/// Unmounts what containers shared that are not among those.
pub(super) fn forget_all_but(ids: &[&str]) {
    let Ok(entries) = fs::read_dir(FOLDER) else { return };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| name != GUEST && !ids.contains(&name.as_str())).for_each(|name| forget(&name));
}

fn mounted(folder: &Path, bytes: u64) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let mount = || {
        let place = openat(CWD, folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        mounts::attach(devices::new_memory(bytes)?, place)
    };
    if let Err(errno) = mount() {
        // Nobody may take the folder for what should be on it.
        fs::remove_dir(folder)?;
        return Err(errno.into());
    }
    Ok(folder.to_owned())
}

fn folder(id: &str) -> PathBuf {
    Path::new(FOLDER).join(id)
}
