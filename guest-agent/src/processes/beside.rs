//! The agent's half of what a container sees beside its root file system: each becomes a mount that is attached nowhere,
//! before the container exists. The other half attaches them ([`crate::rootfs::beside`]).

use std::{
    os::fd::{BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    io::Errno,
    mount::MountAttrFlags,
};

use super::{
    error::LaunchError,
    launch::{MountLaunch, MountSource},
};
use crate::{
    init::protocol::MountSetup,
    rootfs::{mounts, overlay, target},
};

/// Makes a mount and says what is to be done with it.
pub(crate) fn prepare(
    launch: MountLaunch,
    user_namespace: Option<BorrowedFd<'_>>,
) -> Result<(MountSetup, OwnedFd), LaunchError> {
    let MountLaunch { target, source, mut read_only, shared } = launch;
    let (mut takes_mode, mut part) = (false, String::new());
    let (mount, shown) = match source {
        MountSource::Folder { path, subpath } => {
            let folder = openat(CWD, &path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
            let folder = folder.map_err(failed(format!("open {}", path.display())))?;
            let place = within(folder, &path, &subpath)?;
            let copy = mounts::detached_tree(&place).map_err(failed(format!("open {}", path.display())))?;
            mounts::map_owners(&copy, user_namespace).map_err(failed(map(&path.display().to_string())))?;
            let shown = if subpath.is_empty() { path } else { path.join(subpath) };
            (copy, shown.display().to_string())
        }
        MountSource::Layers { layers, subpath } => {
            part = subpath;
            (overlay::read_only(&layers, user_namespace)?, "image".to_owned())
        }
        // Whose its files are was said when it was mounted.
        MountSource::Host { path, shown } => {
            let place = openat(CWD, &path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
            let copy = place.and_then(mounts::detached_copy).map_err(failed(format!("open {shown}")))?;
            (copy, shown)
        }
        MountSource::Memory(mut tmpfs) => {
            // Its root gets its mode when the place is known, and only then can it be read-only.
            read_only = tmpfs.attributes.contains(MountAttrFlags::MOUNT_ATTR_RDONLY);
            tmpfs.attributes.remove(MountAttrFlags::MOUNT_ATTR_RDONLY);
            let mount = tmpfs.mount().map_err(failed(format!("mount tmpfs for {target}")))?;
            mounts::map_owners(&mount, user_namespace).map_err(failed(map(&target)))?;
            takes_mode = !tmpfs.has_mode();
            (mount, "tmpfs".to_owned())
        }
    };
    Ok((MountSetup { target, source: shown, part, takes_mode, read_only, shared }, mount))
}

/// What is at a path within a folder. A link that leads out of the folder is refused, as is one that is being exchanged for
/// another while it is followed: the kernel resolves all of it at once.
fn within(folder: OwnedFd, path: &Path, subpath: &str) -> Result<OwnedFd, LaunchError> {
    if subpath.is_empty() {
        return Ok(folder);
    }
    match target::find_beneath(&folder, subpath) {
        Ok(place) => Ok(place),
        Err(Errno::XDEV) => Err(LaunchError::Escape { base: path.to_owned(), subpath: subpath.to_owned() }),
        Err(errno) => {
            let path = path.join(subpath);
            Err(failed(format!("cannot access path {path}: lstat {path}", path = path.display()))(errno))
        }
    }
}

fn map(path: &str) -> String {
    format!("map the owners of {path}")
}

fn failed(what: String) -> impl FnOnce(Errno) -> LaunchError {
    move |errno| LaunchError::Mount { what, errno: errno.raw_os_error() }
}
