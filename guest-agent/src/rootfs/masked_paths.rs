//! Paths that a container must not see, or must not write.

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    fs::{FileType, Mode, OFlags, fstat, major, minor, openat},
    io::Errno,
    mount::MountAttrFlags,
};

use super::{RootfsError, Step, mounts, target};

/// Hides paths: a folder behind one that is empty and read-only, a file behind /dev/null. What is not there is hidden.
///
/// # Errors
/// What the kernel says.
pub fn hide(root: impl AsFd, paths: &[String]) -> Result<(), RootfsError> {
    let mut empty = None;
    for path in paths {
        let step = || format!("mask {path}");
        let Some(place) = find(&root, path).step(step())? else { continue };
        let cover = match target::kind(&place).step(step())? {
            FileType::Directory => empty_folder(&mut empty),
            _ => null(&root),
        };
        mounts::attach(cover.step(step())?, place).step(step())?;
    }
    Ok(())
}

/// Makes paths read-only. What is not there stays so.
///
/// # Errors
/// What the kernel says.
pub fn protect(root: impl AsFd, paths: &[String]) -> Result<(), RootfsError> {
    for path in paths {
        let step = || format!("make {path} read-only");
        let Some(place) = find(&root, path).step(step())? else { continue };
        mounts::make_read_only(place).step(step())?;
    }
    Ok(())
}

fn find(root: impl AsFd, path: &str) -> Result<Option<OwnedFd>, Errno> {
    match target::find(root, path) {
        Ok(place) => Ok(Some(place)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// One file system for all folders: each of its own would have to be torn down with the container. The first use attaches
/// it, because closing the last descriptor of one that is attached nowhere waits for a grace period. Its size of 0 means
/// no limit, so it is read-only itself.
fn empty_folder(first: &mut Option<OwnedFd>) -> Result<OwnedFd, Errno> {
    if let Some(mount) = first {
        return mounts::detached_copy(mount);
    }
    let attributes = mounts::inert() | MountAttrFlags::MOUNT_ATTR_RDONLY;
    let mount = mounts::new("tmpfs", &[("size", "0"), ("mode", "0555"), ("ro", "")], attributes)?;
    let again = rustix::io::fcntl_dupfd_cloexec(&mount, 3)?;
    *first = Some(mount);
    Ok(again)
}

/// The container's /dev/null, which is on a file system that we have just made. That it is the real one is checked all the
/// same (CVE-2025-31133).
fn null(root: impl AsFd) -> Result<OwnedFd, Errno> {
    let dev = target::plain_folder(root, "dev")?;
    let null = openat(&dev, "null", OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let facts = fstat(&null)?;
    let real = FileType::from_raw_mode(facts.st_mode) == FileType::CharacterDevice
        && (major(facts.st_rdev), minor(facts.st_rdev)) == (1, 3);
    if real { mounts::detached_copy(null) } else { Err(Errno::NODEV) }
}
