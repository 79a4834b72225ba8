//! The loop of PID 1: one poll, and for each thing that is ready one short action that never waits.
//!
//! ```text
//!             Start                   end of reports              Release
//! (nothing) ────────► Starting ──────────────────────────► Held ──────────► (nothing)
//!                        │ a failure, or no process            │ reaped: exit is set, Exited is sent
//!                        └────────► (nothing), Failed is sent  └ a new agent: Held, then Exited
//! ```

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    io,
    os::fd::{AsFd, OwnedFd},
    time::{Instant, SystemTime},
};

use nix::sys::{
    signal::{SigSet, SigmaskHow, Signal, sigprocmask},
    signalfd::{SfdFlags, SignalFd},
};
use rustix::event::{PollFd, PollFlags, Timespec};

use super::{
    BootError, Doing,
    agent::{Agent, BackOff, Ports},
    console,
    held::Held,
    packet::{self, Packet},
    power_off,
    protocol::{Event, HeldProcess, Request, StartRequest},
    spawn::{self, Starting},
};
use crate::{
    processes::{error::LaunchFailure, launch::ExitStatus},
    sys::{
        send_signal::send_signal,
        wait::{self, Ended},
    },
};

/// PID 1, when the guest is set up.
pub(super) struct Supervisor {
    ports: Ports,
    signals: SignalFd,
    agent: AgentState,
    back_off: BackOff,
    outbox: VecDeque<Packet>,
    starting: Vec<Starting>,
    held: BTreeMap<String, Held>,
    /// Descriptors that the agent wants to find again after its end.
    kept: BTreeMap<String, OwnedFd>,
}

enum AgentState {
    Running(Agent),
    /// To be started then.
    Due(Instant),
}

/// What a round of the loop has found ready.
#[derive(Debug, Default)]
struct Ready {
    signals: bool,
    agent: bool,
    writable: bool,
    starting: Vec<bool>,
}

impl Supervisor {
    pub(super) fn new(ports: Ports) -> Result<Self, BootError> {
        let mut signals = SigSet::empty();
        for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGPWR] {
            signals.add(signal);
        }
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&signals), None).doing("block signals")?;
        let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK);
        Ok(Self {
            ports,
            signals: signals.doing("read signals from a descriptor")?,
            agent: AgentState::Due(Instant::now()),
            back_off: BackOff::default(),
            outbox: VecDeque::new(),
            starting: Vec::new(),
            held: BTreeMap::new(),
            kept: BTreeMap::new(),
        })
    }

    pub(super) fn run(mut self) -> Result<Infallible, BootError> {
        loop {
            self.keep_agent();
            self.note_settled();
            let ready = self.wait().doing("wait for events")?;
            if ready.agent {
                self.hear_agent();
            }
            if ready.writable {
                self.send();
            }
            self.hear_starting(&ready.starting);
            if ready.signals && self.hear_signals() {
                self.power_off();
            }
        }
    }

    fn wait(&self) -> Result<Ready, rustix::io::Errno> {
        let mut polled = vec![PollFd::new(&self.signals, PollFlags::IN)];
        polled.extend(self.starting.iter().map(|starting| PollFd::new(&starting.status, PollFlags::IN)));
        match &self.agent {
            AgentState::Running(agent) => {
                let writing = if self.outbox.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
                polled.push(PollFd::new(&agent.control, PollFlags::IN | writing));
            }
            AgentState::Due(_) => {}
        }
        let timeout = self.next_moment().map(|when| when.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|left| Timespec::try_from(left).ok());
        rustix::io::retry_on_intr(|| rustix::event::poll(&mut polled, timeout.as_ref()))?;
        let mut found = polled.iter().map(PollFd::revents);
        let signals = found.next().is_some_and(|events| !events.is_empty());
        let starting = found.by_ref().take(self.starting.len()).map(|events| !events.is_empty()).collect();
        let agent = found.next().unwrap_or(PollFlags::empty());
        let (writable, readable) = (agent.contains(PollFlags::OUT), !agent.difference(PollFlags::OUT).is_empty());
        Ok(Ready { signals, agent: readable, writable, starting })
    }

    /// When there is something to do though nothing has happened.
    fn next_moment(&self) -> Option<Instant> {
        match &self.agent {
            AgentState::Running(agent) => self.back_off.settles(agent),
            AgentState::Due(when) => Some(*when),
        }
    }

    /// Says that an agent stays, if there were some that did not.
    fn note_settled(&mut self) {
        if self
            .agent
            .running()
            .and_then(|agent| self.back_off.settles(agent))
            .is_some_and(|when| when <= Instant::now())
        {
            self.back_off = BackOff::default();
            console::say("agent settled");
        }
    }

    /// Starts an agent when one is due, and tells it of everything that is held.
    fn keep_agent(&mut self) {
        match &self.agent {
            AgentState::Due(when) if *when <= Instant::now() => {}
            _ => return,
        }
        match Agent::start(&self.ports) {
            Ok(agent) => {
                self.agent = AgentState::Running(agent);
                for held in self.held.values() {
                    match held.announce() {
                        Ok(packet) => self.outbox.push_back(packet),
                        Err(error) => console::say(&format!("{} cannot be handed over: {error}", held.process.id)),
                    }
                }
                for (name, descriptor) in &self.kept {
                    let event = Event::Kept { name: name.clone() };
                    match descriptor.try_clone().and_then(|copy| Packet::new(&event, vec![copy])) {
                        Ok(packet) => self.outbox.push_back(packet),
                        Err(error) => console::say(&format!("{name} cannot be handed over: {error}")),
                    }
                }
                self.queue(&Event::Adopted);
                let ended = self.held.values().filter_map(|held| Some((held.process.id.clone(), held.exit?)));
                for (id, status) in ended.collect::<Vec<_>>() {
                    self.queue(&Event::Exited { id, status });
                }
                self.send();
            }
            Err(error) => {
                console::say(&format!("the agent cannot be started: {error}"));
                self.agent = AgentState::Due(Instant::now() + self.back_off.after_an_end());
            }
        }
    }

    /// The agent has gone: what it was told is not known any more, and what it asked for is undone.
    fn lose_agent(&mut self) {
        let AgentState::Running(agent) = &self.agent else { return };
        let pause = self.back_off.after_an_end();
        let (ends, pause_ms) = (self.back_off.ends, pause.as_millis());
        console::say(&format!("agent ended: {ends} in a row, the next one starts in {pause_ms} ms"));
        // It may have closed its socket and live on; there is never more than one.
        let _ = send_signal(&agent.pidfd, libc::SIGKILL);
        self.agent = AgentState::Due(Instant::now() + pause);
        self.outbox.clear();
        for starting in &mut self.starting {
            starting.abandoned = true;
        }
    }

    fn hear_agent(&mut self) {
        loop {
            let AgentState::Running(agent) = &self.agent else { return };
            match packet::receive::<Request>(&agent.control) {
                Ok(Some((request, descriptors))) => self.obey(request, descriptors),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Ok(None) => return self.lose_agent(),
                Err(error) => {
                    console::say(&format!("the agent cannot be understood: {error}"));
                    return self.lose_agent();
                }
            }
        }
    }

    fn obey(&mut self, request: Request, descriptors: Vec<OwnedFd>) {
        match request {
            Request::Start(request) => self.start(*request, descriptors),
            Request::CloseStdin { id } => {
                if let Some(held) = self.held.get_mut(&id) {
                    held.close_stdin();
                }
            }
            Request::Release { id } => {
                if let Some(held) = self.held.remove(&id).filter(|held| held.exit.is_none()) {
                    let _ = send_signal(&held.pidfd, libc::SIGKILL);
                }
            }
            Request::Listening => {
                console::say("agent ready");
                if let AgentState::Running(agent) = &mut self.agent {
                    agent.serves();
                }
            }
            Request::Keep { name } => {
                if let Some(descriptor) = descriptors.into_iter().next() {
                    self.kept.insert(name, descriptor);
                }
            }
            Request::Drop { name } => drop(self.kept.remove(&name)),
            Request::PowerOff => self.power_off(),
        }
    }

    /// Whatever waits for what the agent serves is to see its end: nothing of it is kept.
    fn power_off(&mut self) {
        self.kept.clear();
        power_off::in_order(self.agent.running(), &self.signals);
    }

    fn start(&mut self, request: StartRequest, descriptors: Vec<OwnedFd>) {
        let sequence = request.sequence;
        let taken = self.held.contains_key(&request.id) || self.starting.iter().any(|other| other.id == request.id);
        let spawned = if taken {
            let step = format!("start {}: the last run was not released", request.id);
            Err(LaunchFailure::Step { step, errno: libc::EEXIST })
        } else {
            spawn::spawn(request, descriptors)
        };
        match spawned {
            Ok(starting) => self.starting.push(starting),
            Err(failure) => self.tell(&Event::Failed { sequence, failure: Some(failure) }),
        }
    }

    fn hear_starting(&mut self, ready: &[bool]) {
        // From the end, so that taking one out does not move those that are still to be looked at.
        for index in (0..ready.len().min(self.starting.len())).rev() {
            if ready[index] && self.starting[index].listen() {
                let starting = self.starting.swap_remove(index);
                self.started(starting);
            }
        }
    }

    fn started(&mut self, starting: Starting) {
        let Starting { sequence, id, kind, process, ends, failure, exit, abandoned, .. } = starting;
        let (pid, pidfd) = match process {
            Some(process) if failure.is_none() => process,
            // It ends by itself, or has ended, and is reaped as an orphan.
            _ => return self.tell_unless(abandoned, &Event::Failed { sequence, failure }),
        };
        if abandoned {
            let _ = send_signal(&pidfd, libc::SIGKILL);
            return;
        }
        let process = HeldProcess { id: id.clone(), kind, pid, started_at_nanos: now(), streams: ends.there() };
        let held = Held { process, pidfd, ends, exit };
        match held.started(sequence) {
            Ok(packet) => self.outbox.push_back(packet),
            Err(error) => {
                let failure = Some(LaunchFailure::Step {
                    step: "hand the process over".into(),
                    errno: error.raw_os_error().unwrap_or(libc::EIO),
                });
                let _ = send_signal(&held.pidfd, libc::SIGKILL);
                return self.tell(&Event::Failed { sequence, failure });
            }
        }
        self.held.insert(id.clone(), held);
        if let Some(status) = exit {
            self.queue(&Event::Exited { id, status });
        }
        self.send();
    }

    /// Reads the signals; true when one asks for the end.
    fn hear_signals(&mut self) -> bool {
        let mut end = false;
        while let Ok(Some(signal)) = self.signals.read_signal() {
            end |= i32::try_from(signal.ssi_signo) != Ok(libc::SIGCHLD);
        }
        self.reap();
        end
    }

    /// Reaps every child that has ended, each as what it is. Looking comes before taking, so that no status is lost.
    fn reap(&mut self) {
        while let Ok(Some(ended)) = wait::peek() {
            self.reap_one(ended);
        }
    }

    fn reap_one(&mut self, ended: Ended) {
        // The child of an exec's helper may end before its report was read.
        let finished: Vec<bool> = self.starting.iter().map(|starting| starting.process.is_none()).collect();
        if !self.is_known(ended.pid) && finished.contains(&true) {
            self.hear_starting(&finished);
        }
        let status = ExitStatus { code: ended.code, finished_at_nanos: now() };
        let held = self.held.values_mut().find(|held| held.process.pid == ended.pid && held.exit.is_none());
        if let Some(held) = held {
            let _ = wait::reap(&held.pidfd);
            held.exit = Some(status);
            let id = held.process.id.clone();
            return self.tell(&Event::Exited { id, status });
        }
        let of = |starting: &Starting| starting.process.as_ref().is_some_and(|(pid, _)| *pid == ended.pid);
        if let Some(starting) = self.starting.iter_mut().find(|starting| of(starting)) {
            starting.exit = Some(status);
        }
        let _ = wait::reap_pid(ended.pid);
        if self.agent.running().is_some_and(|agent| agent.pid == ended.pid) {
            // Read what it said last before it is forgotten.
            self.hear_agent();
            self.lose_agent();
        }
    }

    fn is_known(&self, pid: u32) -> bool {
        let starting = |starting: &Starting| starting.process.as_ref().is_some_and(|(known, _)| *known == pid);
        self.held.values().any(|held| held.process.pid == pid) || self.starting.iter().any(starting)
    }

    fn tell_unless(&mut self, unless: bool, event: &Event) {
        if !unless {
            self.tell(event);
        }
    }

    fn tell(&mut self, event: &Event) {
        self.queue(event);
        self.send();
    }

    fn queue(&mut self, event: &Event) {
        match Packet::new(event, Vec::new()) {
            Ok(packet) => self.outbox.push_back(packet),
            // Without memory for a message the agent's picture is wrong from here on; a new one gets a right one.
            Err(error) => {
                console::say(&format!("the agent cannot be told: {error}"));
                self.lose_agent();
            }
        }
    }

    /// Sends what the socket takes; the rest waits until it takes more.
    fn send(&mut self) {
        let AgentState::Running(agent) = &self.agent else { return self.outbox.clear() };
        while let Some(packet) = self.outbox.front() {
            match packet.send(agent.control.as_fd()) {
                Ok(()) => drop(self.outbox.pop_front()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // The end of the connection is read where everything else is.
                Err(_) => return self.outbox.clear(),
            }
        }
    }
}

impl AgentState {
    fn running(&self) -> Option<&Agent> {
        match self {
            Self::Running(agent) => Some(agent),
            Self::Due(_) => None,
        }
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
