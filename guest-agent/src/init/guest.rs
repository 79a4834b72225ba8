//! Stage two: what a process needs of a system, and how this one is set.

use std::{fs, io, path::Path};

use rustix::{
    mount::{MountFlags, mount},
    process::{Resource, Rlimit, setrlimit},
};

use super::{BootError, Doing};
use crate::{cgroups, rootfs::pivot, sys};

/// fs.nr_open, as the kernel has it.
const MAX_DESCRIPTORS: u64 = 1_048_576;

/// Mounts are copied for each container that starts, so there are few.
pub(super) fn mount_file_systems() -> Result<(), BootError> {
    let inert = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let devices = MountFlags::NOSUID | MountFlags::NOEXEC;
    for (kind, target, flags, options) in [
        ("proc", "/proc", inert, c""),
        ("sysfs", "/sys", inert, c""),
        ("devtmpfs", "/dev", devices, c"mode=0755"),
        ("devpts", "/dev/pts", devices, c"mode=0620,gid=5,ptmxmode=0666"),
        ("tmpfs", "/run", MountFlags::NOSUID | MountFlags::NODEV, c"mode=0755"),
        ("tmpfs", "/tmp", MountFlags::NOSUID | MountFlags::NODEV, c"mode=1777"),
        ("cgroup2", cgroups::ROOT, inert, c"nsdelegate,memory_recursiveprot"),
    ] {
        fs::create_dir_all(target).doing(format!("create {target}"))?;
        mount(kind, target, kind, flags, options).doing(format!("mount {target}"))?;
    }
    fs::create_dir_all(pivot::STAGE).doing(format!("create {}", pivot::STAGE))
}

pub(super) fn make_cgroups() -> Result<(), BootError> {
    cgroups::layout::make(Path::new(cgroups::ROOT)).doing("create the cgroups")
}

pub(super) fn name_it() -> Result<(), BootError> {
    rustix::system::sethostname(b"cove").doing("set the host name")
}

pub(super) fn bring_up_loopback() -> Result<(), BootError> {
    sys::loopback::bring_up().doing("bring up loopback")
}

/// Settings of the kernel, each with its reason.
const SETTINGS: [(&str, &str); 14] = [
    // Only what the kernel may not survive: the console is for lines that the host reads, a slow one slows the kernel,
    // and a container that was out of memory is an error to it.
    ("kernel/printk", "3"),
    // Containers share the log; addresses and messages of others are not theirs.
    ("kernel/dmesg_restrict", "1"),
    ("kernel/kptr_restrict", "1"),
    ("kernel/unprivileged_bpf_disabled", "1"),
    // As on 64-bit distributions; each container has its own numbers anyway.
    ("kernel/pid_max", "4194304"),
    // A container's files cannot be used to trick a more privileged process of another one on a shared volume.
    ("fs/protected_hardlinks", "1"),
    ("fs/protected_symlinks", "1"),
    ("fs/protected_fifos", "1"),
    ("fs/protected_regular", "1"),
    // Development servers watch whole trees, and all containers are one user to the kernel.
    ("fs/inotify/max_user_watches", "1048576"),
    ("fs/inotify/max_user_instances", "8192"),
    // Databases map more than the default allows (Elasticsearch refuses to start), and distributions have raised it.
    ("vm/max_map_count", "1048576"),
    // Programs that fork with a large heap count on it (Redis warns); memory is limited per container instead.
    ("vm/overcommit_memory", "1"),
    // Keys of containers are counted for one user too; Docker's own documentation raises it.
    ("kernel/keys/maxkeys", "20000"),
];

/// PID 1 holds four descriptors of each process, and the agent as many: the kernel's 1024 would do for 200 containers.
pub(super) fn raise_limits() -> Result<(), BootError> {
    let most = Some(MAX_DESCRIPTORS);
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).doing("raise the limit of open files")
}

/// Keeps processes with a network namespace of their own away from the host's vsock, where the kernel can (Linux 7.0).
/// The setting comes with the module, and is written once.
pub(super) fn close_vsock_to_namespaces() -> Result<(), BootError> {
    match fs::write("/proc/sys/net/vsock/child_ns_mode", "local") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        written => written.doing("set net/vsock/child_ns_mode to local"),
    }
}

pub(super) fn apply_settings() -> Result<(), BootError> {
    for (name, value) in SETTINGS {
        fs::write(Path::new("/proc/sys").join(name), value).doing(format!("set {name} to {value}"))?;
    }
    Ok(())
}
