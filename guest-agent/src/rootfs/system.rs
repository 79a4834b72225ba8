//! /proc, /sys and the cgroup hierarchy of a container.

use std::os::fd::{AsFd, OwnedFd};

use rustix::mount::MountAttrFlags;

use super::{RootfsError, Step, mounts, target};

/// Mounts the processes of the PID namespace that the caller is in. The descriptor is for the caller's own use: whatever
/// the container puts over /proc, it stays this one.
///
/// # Errors
/// When /proc of the image is no folder.
pub fn mount_proc(root: impl AsFd) -> Result<OwnedFd, RootfsError> {
    let proc = mounts::new("proc", &[], mounts::inert()).step("mount proc")?;
    let place = target::plain_folder(root, "proc").step("open /proc")?;
    mounts::attach(&proc, place).step("mount proc on /proc")?;
    Ok(proc)
}

/// Mounts /sys with the cgroup of the container as the whole hierarchy; each read-only unless it may be written to.
///
/// # Errors
/// When /sys of the image is no folder.
pub fn mount_sys(root: impl AsFd, writable: bool, writable_cgroups: bool) -> Result<(), RootfsError> {
    let attributes = |writable: bool| match writable {
        true => mounts::inert(),
        false => mounts::inert() | MountAttrFlags::MOUNT_ATTR_RDONLY,
    };
    let sysfs = mounts::new("sysfs", &[], attributes(writable)).step("mount sysfs")?;
    let place = target::plain_folder(root, "sys").step("open /sys")?;
    mounts::attach(&sysfs, place).step("mount sysfs on /sys")?;
    let cgroups = mounts::new("cgroup2", &[], attributes(writable_cgroups)).step("mount cgroup2")?;
    let place = target::find(&sysfs, "fs/cgroup").step("open /sys/fs/cgroup")?;
    mounts::attach(cgroups, place).step("mount cgroup2 on /sys/fs/cgroup")
}
