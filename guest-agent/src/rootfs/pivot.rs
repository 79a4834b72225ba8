//! Making a tree the root of the process.

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    mount::{MountAttrFlags, MountPropagationFlags, UnmountFlags, mount_change, unmount},
    process::{chdir, fchdir, getcwd, pivot_root},
};

use super::{RootfsError, Step, mounts};
use crate::sys::mount::set_attributes;

/// An empty folder of the guest where each container's tree is attached, in its own mount namespace only.
pub const STAGE: &str = "/cove/stage";

/// Attaches a tree where it can become the root, and opens it. No mount made from here on reaches the guest.
///
/// # Errors
/// What the kernel says.
pub fn stage(tree: impl AsFd) -> Result<OwnedFd, RootfsError> {
    let private = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
    mount_change("/", private).step("make all mounts private")?;
    let place = openat(CWD, STAGE, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    mounts::attach(tree, place.step("open the stage")?).step("attach the root file system")?;
    openat(CWD, STAGE, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .step("open the root file system")
}

/// Makes the staged tree the root, and takes the guest's out of sight.
///
/// # Errors
/// What the kernel says.
pub fn pivot(root: impl AsFd) -> Result<(), RootfsError> {
    fchdir(root).step("enter the root file system")?;
    // Both names are the same: the old root is then on top of the new one, and unmounting uncovers it.
    pivot_root(".", ".").step("pivot_root")?;
    unmount(".", UnmountFlags::DETACH).step("unmount the guest's root")?;
    chdir("/").step("enter the new root")?;
    match getcwd(Vec::new()).step("look where we are")?.as_bytes() {
        b"/" => Ok(()),
        _ => Err(rustix::io::Errno::XDEV).step("enter the new root"),
    }
}

/// Makes the root read-only; what is mounted below it stays as it is.
///
/// # Errors
/// What the kernel says.
pub fn make_read_only() -> Result<(), RootfsError> {
    let root = openat(CWD, "/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    set_attributes(root.step("open /")?, MountAttrFlags::MOUNT_ATTR_RDONLY, false).step("make / read-only")
}
