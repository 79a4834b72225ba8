//! A request becomes a process. PID 1 never waits for it: until its program is executed it is a [`Starting`], whose
//! reports arrive like everything else.

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;

use super::{
    packet,
    protocol::{ContainerSetup, Report, Setup, StartRequest},
};
use crate::{
    container_init::{
        Newcomer, join,
        steps::{self, JoinedContainers, PreparedMounts},
        streams::{self, EngineEnds},
    },
    namespaces,
    processes::{
        error::LaunchFailure,
        launch::{ExitStatus, Network, SharedMemory, With},
        process::Kind,
    },
    sys::clone::{self, Options, Side},
};

/// A process on its way to its program.
pub(super) struct Starting {
    pub(super) sequence: u64,
    pub(super) id: String,
    pub(super) kind: Kind,
    /// Where it reports.
    pub(super) status: OwnedFd,
    /// Itself; of an exec only when the helper has made it.
    pub(super) process: Option<(u32, OwnedFd)>,
    pub(super) ends: EngineEnds,
    pub(super) failure: Option<LaunchFailure>,
    /// Set when it was reaped before it was known to have started.
    pub(super) exit: Option<ExitStatus>,
    /// Set when the agent that asked is gone.
    pub(super) abandoned: bool,
}

/// Makes the process, or in an exec's case its helper.
pub(super) fn spawn(request: StartRequest, descriptors: Vec<OwnedFd>) -> Result<Starting, LaunchFailure> {
    let StartRequest { sequence, id, setup, process, filter } = request;
    let step = |step: &str, errno: Errno| LaunchFailure::Step { step: step.into(), errno: errno.raw_os_error() };
    let (ends, theirs) = streams::make(process.stdio).map_err(|errno| step("make the standard streams", errno))?;
    let (status, their_status) =
        packet::pair().map_err(|_| step("make a socket for the process's reports", Errno::MFILE))?;
    let kind = setup.kind();
    let newcomer = Newcomer { process, filter, streams: theirs, status: their_status };
    let process = match setup {
        Setup::Container(setup) => {
            let Parts { cgroup, mounts, joined } = Parts::of(&setup, descriptors)?;
            let namespaces = namespaces::of_container(setup.network, &setup.shared);
            // Only children are born into another PID namespace, so a helper makes it, as it does an exec.
            let helped = joined.pid.is_some() || joined.user.is_some();
            let options = match helped {
                false => Options { namespaces, cgroup: Some(cgroup.as_fd()), sibling: false },
                true => Options::default(),
            };
            match (clone::clone(&options).map_err(|errno| step("make a process", errno))?, helped) {
                (Side::Parent { pid, pidfd }, false) => Some((pid, pidfd)),
                (Side::Parent { .. }, true) => None,
                (Side::Child, false) => steps::become_container(newcomer, &setup, mounts, &joined),
                (Side::Child, true) => join::help_container(newcomer, &setup, mounts, &joined, cgroup),
            }
        }
        Setup::Exec(exec) => {
            let [cgroup, container] = exactly(descriptors)?;
            match clone::clone(&Options::default()).map_err(|errno| step("make a process", errno))? {
                // The helper is nobody's business: it is reaped like an orphan.
                Side::Parent { .. } => None,
                Side::Child => join::help(newcomer, cgroup, container, exec.own),
            }
        }
    };
    Ok(Starting { sequence, id, kind, status, process, ends, failure: None, exit: None, abandoned: false })
}

/// The descriptors of a container's first process, by what they are.
struct Parts {
    cgroup: OwnedFd,
    mounts: PreparedMounts,
    joined: JoinedContainers,
}

impl Parts {
    fn of(setup: &ContainerSetup, descriptors: Vec<OwnedFd>) -> Result<Self, LaunchFailure> {
        let mut descriptors = descriptors.into_iter();
        let mut next = || descriptors.next().ok_or_else(misread);
        let cgroup = next()?;
        let (rootfs, etc) = (next()?, [next()?, next()?, next()?]);
        let mut next_if = |there: bool| there.then(&mut next).transpose();
        let joined = JoinedContainers {
            pid: next_if(matches!(setup.shared.pid, With::Container(_)))?,
            ipc: next_if(matches!(setup.shared.ipc, With::Container(_)))?,
            network: next_if(matches!(setup.network, Network::Joined | Network::Ready))?,
            user: next_if(setup.remapped)?,
        };
        let dev = next_if(setup.remapped)?;
        let shared = !matches!(setup.shared.memory, SharedMemory::Private | SharedMemory::Absent);
        let (shared_memory, init) = (next_if(shared)?, next_if(setup.init)?);
        let beside: Vec<_> = descriptors.collect();
        if beside.len() != setup.mounts.len() {
            return Err(misread());
        }
        Ok(Self { cgroup, mounts: PreparedMounts { rootfs, dev, etc, beside, shared_memory, init }, joined })
    }
}

fn misread() -> LaunchFailure {
    LaunchFailure::Step { step: "read the request".into(), errno: libc::EBADMSG }
}

fn exactly<const N: usize>(descriptors: Vec<OwnedFd>) -> Result<[OwnedFd; N], LaunchFailure> {
    descriptors.try_into().map_err(|_| misread())
}

impl Starting {
    /// Takes in what the process has reported; true at the end of that, when its program was executed or it gave up.
    pub(super) fn listen(&mut self) -> bool {
        loop {
            match packet::receive::<Report>(&self.status) {
                Ok(Some((report, descriptors))) => self.heard(report, descriptors),
                Ok(None) => return true,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return false,
                Err(error) => {
                    let errno = error.raw_os_error().unwrap_or(libc::EBADMSG);
                    self.failure = Some(LaunchFailure::Step { step: "read the process's report".into(), errno });
                    return true;
                }
            }
        }
    }

    fn heard(&mut self, report: Report, descriptors: Vec<OwnedFd>) {
        let descriptor = descriptors.into_iter().next();
        match (report, descriptor) {
            // Each is said once, and before the process is where a container might speak in its name.
            (Report::Process { pid }, Some(pidfd)) if self.process.is_none() => self.process = Some((pid, pidfd)),
            (Report::Terminal, Some(master)) if self.ends.terminal.is_none() => self.ends.terminal = Some(master),
            (Report::Failed(failure), _) => self.failure = Some(failure),
            (Report::Process { .. } | Report::Terminal, _) => {
                let step = "read the process's report".into();
                self.failure = Some(LaunchFailure::Step { step, errno: libc::EBADMSG });
            }
        }
    }
}
