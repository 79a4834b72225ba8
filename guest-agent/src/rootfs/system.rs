//! /proc, /sys and the cgroup hierarchy of a container.

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    fs::{Mode, OFlags, open},
    io::Errno,
    mount::MountAttrFlags,
};

use super::{RootfsError, Step, mounts, target};
use crate::{cgroups, sys::mount::set_attributes};

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

/// How a container sees cgroups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cgroups {
    /// As its cgroup namespace has them.
    Mounted {
        /// Whether it may write to them.
        writable: bool,
    },
    /// The guest's, read-only.
    Copied,
}

/// Mounts /sys with the cgroup of the container as the whole hierarchy; each read-only unless it may be written to.
///
/// # Errors
/// When /sys of the image is no folder.
pub fn mount_sys(root: impl AsFd, writable: bool, cgroups: Cgroups) -> Result<(), RootfsError> {
    let attributes = |writable: bool| match writable {
        true => mounts::inert(),
        false => mounts::inert() | MountAttrFlags::MOUNT_ATTR_RDONLY,
    };
    let sysfs = mounts::new("sysfs", &[], attributes(writable)).step("mount sysfs")?;
    let place = target::plain_folder(root, "sys").step("open /sys")?;
    mounts::attach(&sysfs, place).step("mount sysfs on /sys")?;
    let cgroups = match cgroups {
        Cgroups::Mounted { writable } => mounts::new("cgroup2", &[], attributes(writable)),
        Cgroups::Copied => guests_cgroups(attributes(false)),
    };
    let cgroups = cgroups.step("mount cgroup2")?;
    let place = target::find(&sysfs, "fs/cgroup").step("open /sys/fs/cgroup")?;
    mounts::attach(cgroups, place).step("mount cgroup2 on /sys/fs/cgroup")
}

/// A copy of the guest's mount, which is still in sight.
fn guests_cgroups(attributes: MountAttrFlags) -> Result<OwnedFd, Errno> {
    let copy = mounts::detached_copy(open(cgroups::ROOT, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)?;
    set_attributes(&copy, attributes, false)?;
    Ok(copy)
}
