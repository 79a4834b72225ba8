//! What PID 1 holds of a process so that it outlives the agent, until it is released.

use std::{io, os::fd::OwnedFd};

use super::{
    packet::Packet,
    protocol::{Event, HeldProcess},
};
use crate::{container_init::streams::EngineEnds, processes::launch::ExitStatus};

/// A process whose program was executed.
pub(super) struct Held {
    pub(super) process: HeldProcess,
    pub(super) pidfd: OwnedFd,
    pub(super) ends: EngineEnds,
    pub(super) exit: Option<ExitStatus>,
}

impl Held {
    /// The message by which a new agent learns of it.
    pub(super) fn announce(&self) -> io::Result<Packet> {
        Packet::new(&Event::Held(self.process.clone()), self.descriptors()?)
    }

    /// The message by which the agent that asked for it learns of it.
    pub(super) fn started(&self, sequence: u64) -> io::Result<Packet> {
        Packet::new(&Event::Started { sequence, process: self.process.clone() }, self.descriptors()?)
    }

    fn descriptors(&self) -> io::Result<Vec<OwnedFd>> {
        [&self.pidfd].into_iter().chain(self.ends.in_order()).map(OwnedFd::try_clone).collect()
    }

    pub(super) fn close_stdin(&mut self) {
        self.ends.stdin = None;
        self.process.streams = self.ends.there();
    }
}
