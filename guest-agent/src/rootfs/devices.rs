//! /dev of a container: a file system of its own with the usual nodes, terminals, shared memory and message queues.
//!
//! Nodes are made on the descriptor of that file system before it is attached, so nothing of the image is on their way.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::{
    fs::{
        AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, Uid, chmodat, chownat, makedev, mknodat, openat, statat,
        symlinkat, unlinkat,
    },
    io::Errno,
    mount::MountAttrFlags,
};

use super::{RootfsError, Step, mounts, target};
use crate::processes::launch::DeviceNode;

const NODES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// Readable and writable by everybody.
const FOR_ALL: Mode = Mode::from_raw_mode(0o666);

const LINKS: [(&str, &str); 6] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
    ("core", "/proc/kcore"),
];

/// What a privileged container does not get of the guest's devices: what /dev has of its own, and beginnings of names of
/// what leads to the host (its vsock, the console on which it waits for lines of PID 1).
const OWN: [&str; 3] = ["console", "ptmx", "tty"];
const HOST: [&str; 3] = ["hvc", "vport", "vsock"];

/// What goes to /dev, attached nowhere. A privileged container has the guest's devices beside the usual ones.
///
/// # Errors
/// What the kernel says.
pub fn new(privileged: bool) -> Result<OwnedFd, RootfsError> {
    let options = [("mode", "755"), ("size", "65536k")];
    let dev = mounts::new("tmpfs", &options, MountAttrFlags::MOUNT_ATTR_NOSUID).step("mount tmpfs for /dev")?;
    for (name, major, minor) in NODES {
        make_node(&dev, name, major, minor).step(format!("make /dev/{name}"))?;
    }
    for (name, goal) in LINKS {
        symlinkat(goal, &dev, name).step(format!("make /dev/{name}"))?;
    }
    if privileged {
        copy_nodes(&dev).step("copy the guest's devices")?;
    }
    Ok(dev)
}

/// What goes to /dev of a container with a user namespace, in which nobody can make devices: with all that it is given, and
/// what belongs elsewhere under names of its own, for [`bind`].
///
/// # Errors
/// What the kernel says.
pub fn remapped(nodes: &[DeviceNode], user_namespace: BorrowedFd<'_>) -> Result<OwnedFd, RootfsError> {
    let dev = new(false)?;
    for (name, ..) in NODES {
        // As in make_at.
        chmodat(&dev, name, FOR_ALL, AtFlags::empty()).step(format!("make /dev/{name}"))?;
    }
    for (index, node) in nodes.iter().enumerate() {
        let path = below_dev(&node.path).map_or_else(|| set_aside(index), str::to_owned);
        make_at(&dev, &DeviceNode { path, ..node.clone() }).step(format!("make {}", node.path))?;
    }
    mounts::map_owners(&dev, Some(user_namespace)).step("map the owners of devices")?;
    Ok(dev)
}

fn below_dev(path: &str) -> Option<&str> {
    path.strip_prefix("/dev/")
}

fn set_aside(index: usize) -> String {
    format!(".device-{index}")
}

/// Puts the devices that belong elsewhere than to /dev where they belong.
///
/// # Errors
/// What the kernel says.
pub(crate) fn bind(root: impl AsFd, nodes: &[DeviceNode]) -> Result<(), RootfsError> {
    let elsewhere = nodes.iter().enumerate().filter(|(_, node)| below_dev(&node.path).is_none());
    for (index, node) in elsewhere {
        let bind = || {
            let (dev, name) = (target::plain_folder(&root, "dev")?, set_aside(index));
            let aside = openat(&dev, &name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
            let place = target::find_or_make(&root, &node.path, target::Make::File)?;
            mounts::attach(mounts::detached_copy(aside)?, place)?;
            unlinkat(&dev, &name, AtFlags::empty())
        };
        bind().step(format!("make {}", node.path))?;
    }
    Ok(())
}

/// Mounts /dev.
///
/// # Errors
/// When /dev of the image is no folder.
pub fn mount(root: impl AsFd, dev: &OwnedFd, memory: Memory) -> Result<(), RootfsError> {
    let place = target::plain_folder(root, "dev").step("open /dev")?;
    mounts::attach(dev, place).step("mount tmpfs on /dev")?;
    mount_below(dev)?;
    mount_memory(dev, memory)
}

/// What is at /dev/shm.
#[derive(Debug)]
pub enum Memory {
    /// A file system of this size in bytes.
    New(u64),
    /// One that others have, too.
    Shared(OwnedFd),
    /// Nothing.
    Absent,
}

fn mount_memory(dev: &OwnedFd, memory: Memory) -> Result<(), RootfsError> {
    let mount = match memory {
        Memory::New(bytes) => new_memory(bytes).step("mount tmpfs for /dev/shm")?,
        Memory::Shared(mount) => mount,
        Memory::Absent => return Ok(()),
    };
    let place = target::plain_folder(dev, "shm").step("open /dev/shm")?;
    mounts::attach(mount, place).step("mount /dev/shm")
}

/// A file system for /dev/shm, attached nowhere.
///
/// # Errors
/// What the kernel says.
pub fn new_memory(bytes: u64) -> Result<OwnedFd, Errno> {
    mounts::new("tmpfs", &[("mode", "1777"), ("size", &bytes.to_string())], mounts::inert())
}

/// Makes the devices that a container was given. What is at a path already stays, as runc leaves it.
///
/// # Errors
/// What the kernel says.
pub(crate) fn make(root: impl AsFd, nodes: &[DeviceNode]) -> Result<(), RootfsError> {
    nodes.iter().try_for_each(|node| make_at(&root, node).step(format!("make {}", node.path)))
}

fn make_at(root: impl AsFd, node: &DeviceNode) -> Result<(), Errno> {
    let (folder, name) = node.path.rsplit_once('/').unwrap_or(("", &node.path));
    let folder = target::find_or_make(root, folder, target::Make::Folder)?;
    let kind = if node.block { FileType::BlockDevice } else { FileType::CharacterDevice };
    let mode = Mode::from_raw_mode(node.mode);
    match mknodat(&folder, name, kind, mode, makedev(node.major, node.minor)) {
        Ok(()) => {}
        Err(Errno::EXIST) => return Ok(()),
        Err(errno) => return Err(errno),
    }
    // It has just been made, so it is no link; the agent's umask may have taken something away.
    chmodat(&folder, name, mode, AtFlags::empty())?;
    let (uid, gid) = (Uid::from_raw(node.owner.0), Gid::from_raw(node.owner.1));
    chownat(&folder, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
}

fn mount_below(dev: &OwnedFd) -> Result<(), RootfsError> {
    let terminals = [("newinstance", ""), ("ptmxmode", "0666"), ("mode", "0620"), ("gid", "5")];
    let no_programs = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    for (name, kind, options, attributes) in
        [("pts", "devpts", terminals.as_slice(), no_programs), ("mqueue", "mqueue", &[], mounts::inert())]
    {
        let mount = mounts::new(kind, options, attributes).step(format!("mount {kind}"))?;
        let place = target::plain_folder(dev, name).step(format!("open /dev/{name}"))?;
        mounts::attach(mount, place).step(format!("mount {kind} on /dev/{name}"))?;
    }
    Ok(())
}

fn make_node(dev: &OwnedFd, name: &str, major: u32, minor: u32) -> Result<(), Errno> {
    mknodat(dev, name, FileType::CharacterDevice, FOR_ALL, makedev(major, minor))
}

/// Copies the nodes right in the guest's /dev, which is still in sight.
fn copy_nodes(dev: &OwnedFd) -> Result<(), Errno> {
    let guest = openat(CWD, "/dev", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    for entry in Dir::read_from(&guest)? {
        let entry = entry?;
        let name = entry.file_name();
        let node = matches!(entry.file_type(), FileType::CharacterDevice | FileType::BlockDevice);
        if !node || name.to_str().is_ok_and(is_withheld) {
            continue;
        }
        let facts = statat(&guest, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let mode = Mode::from_raw_mode(facts.st_mode & 0o7777);
        mknodat(dev, name, FileType::from_raw_mode(facts.st_mode), mode, facts.st_rdev)?;
    }
    Ok(())
}

fn is_withheld(name: &str) -> bool {
    OWN.contains(&name)
        || NODES.iter().any(|(node, ..)| *node == name)
        || HOST.iter().any(|beginning| name.starts_with(beginning))
}

/// Mounts a terminal over /dev/console, as programs expect that are the first of their system.
///
/// # Errors
/// What the kernel says.
pub fn mount_console(root: impl AsFd, terminal: impl AsFd) -> Result<(), RootfsError> {
    let copy = mounts::detached_copy(terminal).step("open the terminal as /dev/console")?;
    // Nobody has run in the container yet, and /dev is ours: there is nothing to race with.
    let dev = target::plain_folder(root, "dev").step("open /dev")?;
    let place = target::find_or_make(&dev, "console", target::Make::File).step("make /dev/console")?;
    mounts::attach(copy, place).step("mount the terminal on /dev/console")
}
