//! The mount API (Linux 5.2 and later), in the few forms used here. A mount is a descriptor until it is attached, so there
//! is no moment at which it is there with the wrong attributes.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx},
    io::Errno,
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_flag,
        fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
    },
};

use crate::sys::mount::set_attributes;

/// nosuid, nodev, noexec: what every mount has that holds no programs.
#[must_use]
pub fn inert() -> MountAttrFlags {
    MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC
}

/// Makes a mount of a file system, attached nowhere. An option without a value is a flag.
///
/// # Errors
/// What the kernel says; ENODEV when it has no such file system.
pub fn new(kind: &str, options: &[(&str, &str)], attributes: MountAttrFlags) -> Result<OwnedFd, Errno> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "source", kind)?;
    for (name, value) in options {
        if value.is_empty() {
            fsconfig_set_flag(&context, *name)?;
        } else {
            fsconfig_set_string(&context, *name, *value)?;
        }
    }
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// Whether something is mounted at a path, which may be a link to it.
#[must_use]
pub fn is_mount_point(path: &Path) -> bool {
    let found = statx(CWD, path, AtFlags::NO_AUTOMOUNT, StatxFlags::empty());
    found.is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// A copy of a mount or of a part of it, attached nowhere: what a bind mount is made of.
///
/// # Errors
/// What the kernel says.
pub fn detached_copy(of: impl AsFd) -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    open_tree(of, "", flags)
}

/// The same with all that is mounted below it.
///
/// # Errors
/// What the kernel says.
pub fn detached_tree(of: impl AsFd) -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    open_tree(of, "", flags)
}

/// Shows a mount that is attached nowhere with the owners of a user namespace, if there is one.
///
/// # Errors
/// What the kernel says; EINVAL for a file system that cannot be shown so.
pub fn map_owners(mount: impl AsFd, user_namespace: Option<BorrowedFd<'_>>) -> Result<(), Errno> {
    user_namespace.map_or(Ok(()), |user_namespace| crate::sys::mount::map_owners(mount, user_namespace))
}

/// Attaches a mount on the place that a descriptor stands for, which no renaming in between can change.
///
/// # Errors
/// What the kernel says; ENOTDIR when a folder meets a file.
pub fn attach(mount: impl AsFd, target: impl AsFd) -> Result<(), Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, "", target, "", flags)
}

/// Mounts a part of the tree on itself, read-only.
///
/// # Errors
/// What the kernel says.
pub fn make_read_only(place: impl AsFd) -> Result<(), Errno> {
    let copy = detached_tree(&place)?;
    set_attributes(&copy, MountAttrFlags::MOUNT_ATTR_RDONLY, true)?;
    attach(copy, place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_is_told_from_a_folder() {
        assert!(is_mount_point(Path::new("/proc")));
        assert!(!is_mount_point(Path::new("/proc/self")));
        assert!(!is_mount_point(Path::new("/nosuch")));
    }
}
