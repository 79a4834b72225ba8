//! How a process gets into namespaces that there are: the PID namespace of a container that runs, for an exec or the first
//! process of a container that shares it; the user namespace that was made for a container.
//!
//! A process cannot move to another PID namespace, only its children are born there. So a helper joins the namespaces and
//! makes the process as its sibling, a child of PID 1 like every other, reports it and ends. The process waits until it is
//! reported: PID 1 must know it before it can end.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use rustix::thread::ThreadNameSpaceType;

use super::{
    Newcomer, Step,
    steps::{self, JoinedContainers, PreparedMounts},
};
use crate::{
    init::protocol::{ContainerSetup, Report},
    namespaces::{self, OwnNamespaces},
    processes::error::LaunchFailure,
    sys::clone::{self, Options, Side},
};

/// Is the helper of an exec, and in its sibling, the process.
pub(crate) fn help(newcomer: Newcomer, cgroup: OwnedFd, container: OwnedFd, own: OwnNamespaces) -> ! {
    let kept = [&cgroup, &container, &newcomer.status].map(AsRawFd::as_raw_fd).to_vec();
    let cloned = steps::begin(&newcomer, kept)
        .and_then(|()| if own.user { steps::begin_remapped(&newcomer) } else { Ok(()) })
        .and_then(|()| namespaces::join(&container, own).step("join the container's namespaces"))
        .and_then(|()| clone_sibling(&newcomer, &cgroup, 0));
    let outcome = cloned.and_then(|()| {
        drop(cgroup);
        if own.cgroup {
            steps::join_cgroup_namespace(&container)?;
        }
        steps::become_exec(&newcomer, own.user)
    });
    match outcome {
        Ok(never) => match never {},
        Err(failure) => newcomer.give_up(failure),
    }
}

/// Is the helper of a container that shares another's PID namespace or has a user namespace, and in its sibling, its first
/// process: its other namespaces are made as those of its user namespace.
pub(crate) fn help_container(
    newcomer: Newcomer,
    setup: &ContainerSetup,
    mounts: PreparedMounts,
    joined: &JoinedContainers,
    cgroup: OwnedFd,
) -> ! {
    let kept = mounts.numbers().chain(joined.numbers());
    let kept = kept.chain([cgroup.as_raw_fd(), newcomer.status.as_raw_fd()]).collect();
    let namespaces = namespaces::of_container(setup.network, &setup.shared);
    let cloned = steps::begin(&newcomer, kept)
        .and_then(|()| join_pid_namespace(joined))
        .and_then(|()| join_user_namespace(&newcomer, joined))
        .and_then(|()| clone_sibling(&newcomer, &cgroup, namespaces));
    drop(cgroup);
    match cloned {
        Ok(()) => steps::go_on_as_container(newcomer, setup, mounts, joined),
        Err(failure) => newcomer.give_up(failure),
    }
}

fn join_pid_namespace(joined: &JoinedContainers) -> Result<(), LaunchFailure> {
    let Some(container) = &joined.pid else { return Ok(()) };
    namespaces::join_one(container, ThreadNameSpaceType::PROCESS_ID).step("join the other container's PID namespace")
}

fn join_user_namespace(newcomer: &Newcomer, joined: &JoinedContainers) -> Result<(), LaunchFailure> {
    let Some(namespace) = &joined.user else { return Ok(()) };
    steps::begin_remapped(newcomer)?;
    namespaces::enter(namespace, ThreadNameSpaceType::USER).step("join the user namespace")
}

/// Returns in the sibling alone, once it is reported.
fn clone_sibling(newcomer: &Newcomer, cgroup: &OwnedFd, namespaces: u64) -> Result<(), LaunchFailure> {
    let (wait, go) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).step("make a pipe")?;
    let options = Options { cgroup: Some(cgroup.as_fd()), sibling: true, namespaces };
    match clone::clone(&options).step("join the container's cgroup")? {
        Side::Parent { pid, pidfd } => {
            let reported = newcomer.report(&Report::Process { pid }, vec![pidfd]);
            if reported.is_ok() {
                // It fails when the process has been killed meanwhile, which PID 1 will see.
                let _ = rustix::io::write(&go, &[1]);
            }
            clone::leave(0)
        }
        Side::Child => {
            drop(go);
            await_report(&wait).step("be reported to PID 1")
        }
    }
}

fn await_report(wait: &OwnedFd) -> io::Result<()> {
    match rustix::io::retry_on_intr(|| rustix::io::read(wait, &mut [0_u8; 1]))? {
        0 => Err(io::ErrorKind::BrokenPipe.into()),
        _ => Ok(()),
    }
}
