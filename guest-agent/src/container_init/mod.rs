//! The ordered list of steps by which a process becomes a container, or a further process of one.
//!
//! It runs in a child of PID 1, which has one thread: ordinary Rust on a copy of a small process. Nothing of the agent is
//! in that copy, and the first step is to close every descriptor that the process does not need: what is seen in a
//! container's PID namespace can be looked into from there.
//!
//! * [`steps`] — the two lists.
//! * [`join`] — how an exec gets into a container that runs.
//! * [`clocks`] — clocks of its own. [`sysctls`] — kernel parameters of its namespaces.
//! * [`reaper`] — the init that is process 1 of a container that asks for one.
//! * [`streams`], [`terminal`] — standard streams.
//! * [`identity`] — user, capabilities, filter. [`working_dir`], [`program`] — where and what.

pub mod clocks;
pub mod identity;
pub mod join;
pub mod program;
pub mod reaper;
pub mod steps;
pub mod streams;
pub mod sysctls;
pub mod terminal;
pub mod working_dir;

use std::os::fd::OwnedFd;

use crate::{
    init::{packet::Packet, protocol::Report},
    processes::{error::LaunchFailure, launch::ProcessSpec},
    rootfs::RootfsError,
};

/// What a process takes along on its way.
pub(crate) struct Newcomer {
    /// What it becomes.
    pub(crate) process: ProcessSpec,
    /// Its system call filter.
    pub(crate) filter: Vec<u8>,
    /// Its ends of the standard streams.
    pub(crate) streams: streams::ProcessEnds,
    /// Where it reports to PID 1; closed by execve, which is how PID 1 learns of that.
    pub(crate) status: OwnedFd,
}

impl Newcomer {
    /// Tells PID 1 something.
    pub(crate) fn report(&self, report: &Report, descriptors: Vec<OwnedFd>) -> std::io::Result<()> {
        Packet::new(report, descriptors)?.send(&self.status)
    }

    /// Tells PID 1 why it gives up, and ends.
    pub(crate) fn give_up(&self, failure: LaunchFailure) -> ! {
        // If that cannot be said, PID 1 sees an end without a reason, and says so.
        let _ = self.report(&Report::Failed(failure), Vec::new());
        crate::sys::clone::leave(1)
    }
}

/// Names the step that a call belongs to.
trait Step<T> {
    fn step(self, step: impl Into<String>) -> Result<T, LaunchFailure>;
}

impl<T> Step<T> for Result<T, rustix::io::Errno> {
    fn step(self, step: impl Into<String>) -> Result<T, LaunchFailure> {
        self.map_err(|errno| LaunchFailure::Step { step: step.into(), errno: errno.raw_os_error() })
    }
}

impl<T> Step<T> for std::io::Result<T> {
    fn step(self, step: impl Into<String>) -> Result<T, LaunchFailure> {
        let errno = |error: &std::io::Error| error.raw_os_error().unwrap_or(libc::EIO);
        self.map_err(|error| LaunchFailure::Step { step: step.into(), errno: errno(&error) })
    }
}

impl From<RootfsError> for LaunchFailure {
    fn from(error: RootfsError) -> Self {
        Self::Step { step: error.step, errno: error.errno.raw_os_error() }
    }
}
