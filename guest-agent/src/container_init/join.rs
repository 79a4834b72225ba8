//! How an exec gets into a container that runs.
//!
//! A process cannot move to another PID namespace, only its children are born there. So a helper joins the namespaces and
//! makes the process as its sibling, a child of PID 1 like every other, reports it and ends. The process waits until it is
//! reported: PID 1 must know it before it can end.

use std::{
    convert::Infallible,
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use super::{Newcomer, Step, steps};
use crate::{
    init::protocol::Report,
    namespaces,
    processes::error::LaunchFailure,
    sys::clone::{self, Options, Side},
};

/// Is the helper, and in its sibling, the process.
pub(crate) fn help(newcomer: Newcomer, cgroup: OwnedFd, container: OwnedFd) -> ! {
    let kept = [&cgroup, &container, &newcomer.status].map(AsRawFd::as_raw_fd).to_vec();
    let outcome = steps::close_others(&newcomer, kept).and_then(|()| join_and_clone(&newcomer, cgroup, &container));
    match outcome {
        Ok(never) => match never {},
        Err(failure) => newcomer.give_up(failure),
    }
}

fn join_and_clone(newcomer: &Newcomer, cgroup: OwnedFd, container: &OwnedFd) -> Result<Infallible, LaunchFailure> {
    let (wait, go) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).step("make a pipe")?;
    namespaces::join(container).step("join the container's namespaces")?;
    let options = Options { cgroup: Some(cgroup.as_fd()), sibling: true, ..Options::default() };
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
            drop((go, cgroup));
            await_report(&wait).step("be reported to PID 1")?;
            drop(wait);
            steps::join_cgroup_namespace(container)?;
            steps::become_exec(newcomer)
        }
    }
}

fn await_report(wait: &OwnedFd) -> io::Result<()> {
    match rustix::io::retry_on_intr(|| rustix::io::read(wait, &mut [0_u8; 1]))? {
        0 => Err(io::ErrorKind::BrokenPipe.into()),
        _ => Ok(()),
    }
}
