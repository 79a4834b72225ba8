//! The agent's process: started, and started again when it dies, with the same ports each time.
//!
//! PID 1 holds the listening sockets for the life of the machine. So no container can take the ports while there is no
//! agent, and a connection that the host makes in that time waits.

use std::{
    ffi::CString,
    io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    time::{Duration, Instant},
};

use cove_proto::ports;
use rustix::fs::{Mode, OFlags};
use vsock::{VMADDR_CID_ANY, VsockListener};

use super::{BootError, Doing, console, packet, root};
use crate::{
    cgroups,
    sys::{
        clone::{self, Options, Side, leave},
        descriptors, execute,
    },
};

/// Where the agent finds what it inherits.
pub mod inherited {
    /// The connection to PID 1.
    pub const CONTROL: i32 = 3;
    /// The listener for gRPC.
    pub const RPC: i32 = 4;
    /// The listener for raw streams.
    pub const STREAMS: i32 = 5;
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// An agent that has served for so long does not die of how it starts. Whoever kills it again and again has one a second.
const SETTLED: Duration = Duration::from_secs(1);

/// The agent's listeners.
pub(super) struct Ports {
    rpc: OwnedFd,
    streams: OwnedFd,
}

impl Ports {
    pub(super) fn bind() -> Result<Self, BootError> {
        let bind = |port: u32| {
            let listener = VsockListener::bind_with_cid_port(VMADDR_CID_ANY, port);
            listener
                .and_then(|listener| listener.as_fd().try_clone_to_owned())
                .doing(format!("listen on vsock port {port}"))
        };
        Ok(Self { rpc: bind(ports::AGENT)?, streams: bind(ports::STREAMS)? })
    }
}

/// An agent that runs.
pub(super) struct Agent {
    pub(super) pid: u32,
    pub(super) pidfd: OwnedFd,
    pub(super) control: OwnedFd,
    serving: Option<Instant>,
}

impl Agent {
    /// It has said that it serves.
    pub(super) fn serves(&mut self) {
        self.serving = Some(Instant::now());
    }

    pub(super) fn start(ports: &Ports) -> io::Result<Self> {
        let (ours, theirs) = packet::pair()?;
        let cgroup = Path::new(cgroups::ROOT).join("cove/agent");
        let cgroup = rustix::fs::open(cgroup, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let options = Options { cgroup: Some(cgroup.as_fd()), ..Options::default() };
        match clone::clone(&options)? {
            Side::Parent { pid, pidfd } => Ok(Self { pid, pidfd, control: ours, serving: None }),
            Side::Child => {
                let error = become_agent(ports, &theirs);
                console::say(&format!("the agent cannot be executed: {error}"));
                leave(1)
            }
        }
    }
}

fn become_agent(ports: &Ports, control: &OwnedFd) -> io::Error {
    let prepare = || -> io::Result<(CString, [CString; 2], Vec<CString>)> {
        // Out of the way of the numbers that they are going to have.
        let high = |fd: &OwnedFd| rustix::io::fcntl_dupfd_cloexec(fd, 16);
        let (control, rpc, streams) = (high(control)?, high(&ports.rpc)?, high(&ports.streams)?);
        descriptors::close_all_but(&[&control, &rpc, &streams].map(std::os::fd::AsRawFd::as_raw_fd))?;
        descriptors::leave_at(&control, inherited::CONTROL)?;
        descriptors::leave_at(&rpc, inherited::RPC)?;
        descriptors::leave_at(&streams, inherited::STREAMS)?;
        // Never the one that is killed for want of memory: without it nobody could free any.
        std::fs::write("/proc/self/oom_score_adj", "-1000")?;
        rustix::process::setsid()?;
        execute::reset_signals();
        let environment: Result<Vec<CString>, _> = std::env::vars()
            .filter(|(name, _)| name != "PATH")
            .chain([("PATH".to_owned(), "/sbin:/bin:/usr/sbin:/usr/bin".to_owned())])
            .map(|(name, value)| CString::new(format!("{name}={value}")))
            .collect();
        Ok((CString::new(root::PROGRAM)?, [CString::new("cove-guest")?, CString::new("agent")?], environment?))
    };
    match prepare() {
        Ok((program, arguments, environment)) => execute::execute(&program, &arguments, &environment).into(),
        Err(error) => error,
    }
}

/// How long to wait before the next agent: longer each time, until one has settled.
#[derive(Debug, Default)]
pub(super) struct BackOff {
    /// How many have ended in a row.
    pub(super) ends: u32,
}

impl BackOff {
    /// The pause after one that has ended.
    pub(super) fn after_an_end(&mut self) -> Duration {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.ends.min(16)).min(LONGEST_PAUSE);
        self.ends += 1;
        pause
    }

    /// When an agent will have stayed, after some that did not.
    pub(super) fn settles(&self, agent: &Agent) -> Option<Instant> {
        agent.serving.filter(|_| self.ends > 0).map(|since| since + SETTLED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_start_anew_after_one_that_stayed() {
        let mut back_off = BackOff::default();
        let pauses: Vec<u128> = (0..8).map(|_| back_off.after_an_end().as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(back_off.ends, 8);
        back_off = BackOff::default();
        assert_eq!(back_off.after_an_end(), FIRST_PAUSE);
    }
}
