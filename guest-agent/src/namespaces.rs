//! What a container's processes have of their own, and how a process gets it.

use std::{
    fs, io,
    ops::RangeInclusive,
    os::{fd::AsFd, unix::fs::MetadataExt},
};

use rustix::{
    io::Errno,
    thread::{ThreadNameSpaceType, move_into_thread_name_spaces},
};

use crate::processes::launch::{Network, Shared, With};

/// All groups that the guest has.
pub const ALL_GROUPS: RangeInclusive<u32> = 0..=0x7fff_ffff;

/// What Docker's containers may do in a network of their own: ports below 1024 and pings for all users, which are those of
/// these groups, by the ids of who writes it. Paths below /proc/sys, and values.
#[must_use]
pub fn own_network(groups: &RangeInclusive<u32>) -> [(&'static str, String); 2] {
    let groups = format!("{} {}", groups.start(), groups.end());
    [("net/ipv4/ip_unprivileged_port_start", "0".to_owned()), ("net/ipv4/ping_group_range", groups)]
}

/// CLONE_NEW* for the first process of a container. The cgroup namespace is not among them: its root would be the
/// cgroup of PID 1; the process makes it itself once it is in its own cgroup.
#[must_use]
pub fn of_container(network: Network, shared: &Shared) -> u64 {
    let own = |flag: libc::c_int, own: bool| if own { flag } else { 0 };
    let flags = libc::CLONE_NEWNS
        | own(libc::CLONE_NEWPID, shared.pid == With::Nobody)
        | own(libc::CLONE_NEWIPC, shared.ipc == With::Nobody)
        | own(libc::CLONE_NEWUTS, !shared.uts)
        | own(libc::CLONE_NEWNET, network == Network::Loopback);
    u64::from(flags.unsigned_abs())
}

/// Enters a namespace of this kind.
///
/// # Errors
/// What the kernel says; EINVAL for one of another kind, and for the user namespace that the caller is in.
pub fn enter(namespace: impl AsFd, kind: ThreadNameSpaceType) -> Result<(), Errno> {
    // The kernel takes a pidfd and a namespace alike.
    move_into_thread_name_spaces(namespace.as_fd(), kind)
}

/// Which of the namespaces that not every container has a process has for itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OwnNamespaces {
    /// Users.
    pub user: bool,
    /// Clocks.
    pub time: bool,
    /// Cgroups.
    pub cgroup: bool,
}

impl OwnNamespaces {
    /// Those of a process that the caller does not share.
    ///
    /// # Errors
    /// If it has ended.
    pub fn of_process(pid: u32) -> io::Result<Self> {
        let inode = |process: &str, kind: &str| match fs::metadata(format!("/proc/{process}/ns/{kind}")) {
            Ok(found) => Ok(found.ino()),
            // A kernel without this kind.
            Err(error) if process == "self" && error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        };
        let own = |kind: &str| match inode("self", kind)? {
            0 => Ok(false),
            guests => Ok::<_, io::Error>(guests != inode(&pid.to_string(), kind)?),
        };
        Ok(Self { user: own("user")?, time: own("time")?, cgroup: own("cgroup")? })
    }
}

/// Joins one namespace of a process. The PID namespace takes effect for children only.
///
/// # Errors
/// ESRCH when the process has ended.
pub fn join_one(process: impl AsFd, kind: ThreadNameSpaceType) -> Result<(), Errno> {
    move_into_thread_name_spaces(process.as_fd(), kind)
}

/// Joins the namespaces of a process at once, all but the cgroup namespace. `own` are those that it has for itself. The PID namespace takes effect for children
/// only.
///
/// # Errors
/// ESRCH when the process has ended.
pub fn join(process: impl AsFd, own: OwnNamespaces) -> Result<(), Errno> {
    let mut namespaces = ThreadNameSpaceType::MOUNT
        | ThreadNameSpaceType::PROCESS_ID
        | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
        | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
        | ThreadNameSpaceType::NETWORK;
    // Nobody joins the user namespace that he is in.
    namespaces.set(ThreadNameSpaceType::USER, own.user);
    namespaces.set(ThreadNameSpaceType::TIME, own.time);
    move_into_thread_name_spaces(process.as_fd(), namespaces)
}

/// Joins the cgroup namespace of a process. Only once the caller is in a cgroup below its root: the hierarchy is mounted
/// with nsdelegate, and nobody moves across the root of a namespace that he is in.
///
/// # Errors
/// ESRCH when the process has ended.
pub fn join_cgroup_namespace(process: impl AsFd) -> Result<(), Errno> {
    move_into_thread_name_spaces(process.as_fd(), ThreadNameSpaceType::CONTROL_GROUP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_callers_own_is_not_the_processes() {
        assert_eq!(OwnNamespaces::of_process(std::process::id()).unwrap(), OwnNamespaces::default());
        assert!(OwnNamespaces::of_process(u32::MAX).is_err());
    }

    #[test]
    fn pings_are_for_the_groups_that_there_are() {
        assert_eq!(own_network(&ALL_GROUPS)[1], ("net/ipv4/ping_group_range", "0 2147483647".to_owned()));
        assert_eq!(own_network(&(100_000..=165_535))[1].1, "100000 165535");
    }

    #[test]
    fn what_is_shared_is_not_made() {
        let has = |flags: u64, flag: libc::c_int| flags & u64::from(flag.unsigned_abs()) != 0;
        let own = of_container(Network::Loopback, &Shared::default());
        for flag in [libc::CLONE_NEWNS, libc::CLONE_NEWPID, libc::CLONE_NEWIPC, libc::CLONE_NEWUTS, libc::CLONE_NEWNET]
        {
            assert!(has(own, flag), "{flag:#x}");
        }
        let shared = Shared { pid: With::Guest, ipc: With::Container("x".into()), uts: true, ..Shared::default() };
        let flags = of_container(Network::Joined, &shared);
        assert_eq!(flags, u64::from(libc::CLONE_NEWNS.unsigned_abs()));
    }
}
