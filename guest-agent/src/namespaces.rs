//! What a container's processes have of their own, and how a process gets it.

use std::os::fd::AsFd;

use rustix::{
    io::Errno,
    thread::{ThreadNameSpaceType, move_into_thread_name_spaces},
};

use crate::processes::launch::{Network, Shared, With};

/// What Docker's containers may do in a network of their own: ports below 1024 and pings for all users. Paths below
/// /proc/sys, and values.
pub const OWN_NETWORK: [(&str, &str); 2] =
    [("net/ipv4/ip_unprivileged_port_start", "0"), ("net/ipv4/ping_group_range", "0 2147483647")];

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

/// Joins one namespace of a process. The PID namespace takes effect for children only.
///
/// # Errors
/// ESRCH when the process has ended.
pub fn join_one(process: impl AsFd, kind: ThreadNameSpaceType) -> Result<(), Errno> {
    move_into_thread_name_spaces(process.as_fd(), kind)
}

/// Joins the namespaces of a process at once, all but the cgroup namespace. The PID namespace takes effect for children
/// only.
///
/// # Errors
/// ESRCH when the process has ended.
pub fn join(process: impl AsFd) -> Result<(), Errno> {
    let most = ThreadNameSpaceType::MOUNT
        | ThreadNameSpaceType::PROCESS_ID
        | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
        | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
        | ThreadNameSpaceType::NETWORK;
    move_into_thread_name_spaces(process.as_fd(), most)
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
