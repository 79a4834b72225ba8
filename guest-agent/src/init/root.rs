//! Stage one: from the kernel's initramfs to a file system that can be left behind.
//!
//! pivot_root does not work from the initramfs, and whatever is on it stays reachable below every other root for who knows
//! how. So everything is moved, file by file, to a tmpfs, which is then laid over the root; the initramfs ends empty. PID 1
//! executes itself from its new place, so that the old copy goes too.

use std::{
    convert::Infallible,
    ffi::CString,
    fs, io,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use rustix::{
    fs::{Mode, OFlags, open},
    mount::{MountAttrFlags, MountFlags, mount, mount_move},
};

use super::{BootError, Doing, console};
use crate::{
    rootfs::mounts,
    sys::{execute, mount::set_attributes},
};

/// PID 1's argument on the way to stage two.
pub(super) const SECOND_STAGE: &str = "supervise";

/// Where this program is, on both roots.
pub(super) const PROGRAM: &str = "/init";

const NEW_ROOT: &str = "/new-root";

/// What is not moved: where the kernel's own file systems are, or will be.
const EMPTY: [&str; 5] = ["dev", "proc", "run", "sys", "tmp"];

/// Does stage one; goes on as stage two.
pub(super) fn move_off_the_initramfs() -> Result<Infallible, BootError> {
    console::say("init");
    fs::create_dir_all(NEW_ROOT).doing("create the new root")?;
    mount("tmpfs", NEW_ROOT, "tmpfs", MountFlags::empty(), c"mode=0755").doing("mount the new root")?;
    let new_root = Path::new(NEW_ROOT);
    for entry in fs::read_dir("/").doing("list the initramfs")? {
        let name = entry.doing("list the initramfs")?.file_name();
        if EMPTY.iter().any(|empty| name == *empty) || Path::new("/").join(&name) == new_root {
            continue;
        }
        let from = Path::new("/").join(&name);
        move_tree(&from, &new_root.join(&name)).doing(format!("move {} to the new root", from.display()))?;
    }
    for name in EMPTY {
        fs::create_dir_all(new_root.join(name)).doing(format!("create /{name}"))?;
    }
    rustix::process::chdir(NEW_ROOT).doing("enter the new root")?;
    mount_move(".", "/").doing("lay the new root over the old one")?;
    rustix::process::chroot(".").doing("make the new root the root")?;
    rustix::process::chdir("/").doing("enter the root")?;
    protect_program()?;
    execute_second_stage()
}

/// Lays this program over itself, read-only. Whatever executes it from now on, PID 1, the agent, or what a container has
/// executed by the name /proc/self/exe, cannot be written to through that name (CVE-2019-5736).
fn protect_program() -> Result<(), BootError> {
    let open = || open(PROGRAM, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    let protect = || {
        let copy = mounts::detached_copy(open()?)?;
        set_attributes(&copy, MountAttrFlags::MOUNT_ATTR_RDONLY, false)?;
        mounts::attach(copy, open()?)
    };
    protect().doing(format!("make {PROGRAM} read-only"))
}

/// Whether this is the guest: a container's root is never a file system in memory.
pub(super) fn is_of_the_guest() -> bool {
    const IN_MEMORY: [u64; 2] = [0x8584_58f6, 0x0102_1994]; // RAMFS_MAGIC and TMPFS_MAGIC of linux/magic.h
    rustix::fs::statfs("/").is_ok_and(|facts| u64::try_from(facts.f_type).is_ok_and(|kind| IN_MEMORY.contains(&kind)))
}

fn execute_second_stage() -> Result<Infallible, BootError> {
    let string = |text: &str| CString::new(text).map_err(io::Error::from).doing("execute stage two");
    let environment: Result<Vec<CString>, BootError> =
        std::env::vars().map(|(name, value)| string(&format!("{name}={value}"))).collect();
    let arguments = [string("cove-guest")?, string(SECOND_STAGE)?];
    Err(execute::execute(&string(PROGRAM)?, &arguments, &environment?)).doing(format!("execute {PROGRAM}"))
}

/// Moves a tree from one file system to another, so that no more than one file is there twice at a time.
fn move_tree(from: &Path, to: &Path) -> io::Result<()> {
    let facts = fs::symlink_metadata(from)?;
    if facts.is_dir() {
        fs::create_dir(to)?;
        fs::set_permissions(to, fs::Permissions::from_mode(facts.permissions().mode() & 0o7777))?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            move_tree(&entry.path(), &to.join(entry.file_name()))?;
        }
        fs::remove_dir(from)
    } else {
        if facts.is_symlink() {
            symlink(fs::read_link(from)?, to)?;
        } else if facts.is_file() {
            fs::copy(from, to)?;
        }
        // Device nodes are left behind: the kernel makes those that there are.
        fs::remove_file(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_the_same_afterwards_and_gone_before() {
        let scratch = tempfile::tempdir().unwrap();
        let (from, to) = (scratch.path().join("from"), scratch.path().join("to"));
        fs::create_dir_all(from.join("sbin")).unwrap();
        fs::write(from.join("sbin/tool"), "program").unwrap();
        fs::set_permissions(from.join("sbin/tool"), PermissionsExt::from_mode(0o750)).unwrap();
        symlink("sbin/tool", from.join("link")).unwrap();
        move_tree(&from, &to).unwrap();
        assert!(!from.exists());
        assert_eq!(fs::read_to_string(to.join("link")).unwrap(), "program");
        assert_eq!(fs::metadata(to.join("sbin/tool")).unwrap().permissions().mode() & 0o7777, 0o750);
    }
}
