//! mount_setattr(2).
#![expect(unsafe_code, reason = "rustix lists mount_setattr as not implemented")]

use std::os::fd::{AsFd, AsRawFd};

use rustix::{io::Errno, mount::MountAttrFlags};

/// Sets attributes of a mount.
///
/// # Errors
/// What the kernel says.
pub fn set_attributes(mount: impl AsFd, attributes: MountAttrFlags, recursive: bool) -> Result<(), Errno> {
    let change = libc::mount_attr { attr_set: u64::from(attributes.bits()), attr_clr: 0, propagation: 0, userns_fd: 0 };
    set(mount, change, recursive)
}

/// Makes a mount one of a group that passes on to each other what is mounted below them.
///
/// # Errors
/// What the kernel says; EINVAL for a mount that is attached nowhere.
pub fn make_shared(mount: impl AsFd, recursive: bool) -> Result<(), Errno> {
    let change = libc::mount_attr { attr_set: 0, attr_clr: 0, propagation: libc::MS_SHARED, userns_fd: 0 };
    set(mount, change, recursive)
}

/// Shows the files of a mount, and of what is mounted below it, as owned by whom a user namespace takes their owners for.
///
/// # Errors
/// What the kernel says; EINVAL for a mount that is attached or whose file system cannot be shown so, EPERM for one that is
/// shown so already.
pub fn map_owners(mount: impl AsFd, user_namespace: impl AsFd) -> Result<(), Errno> {
    let userns_fd = u64::try_from(user_namespace.as_fd().as_raw_fd()).map_err(|_| Errno::BADF)?;
    let change = libc::mount_attr { attr_set: libc::MOUNT_ATTR_IDMAP, attr_clr: 0, propagation: 0, userns_fd };
    set(mount, change, true)
}

fn set(mount: impl AsFd, change: libc::mount_attr, recursive: bool) -> Result<(), Errno> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a string that ends with NUL, the structure is the kernel's and of the size given.
    super::checked(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const change,
            std::mem::size_of::<libc::mount_attr>(),
        )
    })
    .map(drop)
}
