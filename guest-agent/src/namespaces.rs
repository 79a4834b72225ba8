//! What a container's processes have of their own, and how a process gets it.

use std::os::fd::AsFd;

use rustix::{
    io::Errno,
    thread::{ThreadNameSpaceType, move_into_thread_name_spaces},
};

use crate::processes::launch::Network;

/// CLONE_NEW* for the first process of a container. The cgroup namespace is not among them: its root would be the
/// cgroup of PID 1; the process makes it itself once it is in its own cgroup.
#[must_use]
pub fn of_container(network: Network) -> u64 {
    let flags = libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWUTS | libc::CLONE_NEWIPC;
    let network = match network {
        Network::Loopback => libc::CLONE_NEWNET,
        Network::Host => 0,
    };
    u64::from((flags | network).unsigned_abs())
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
