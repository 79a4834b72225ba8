//! The one task that talks to PID 1, and the handle to it.
//!
//! The task owns the socket and the table of processes; everybody else sends it commands. It ends when PID 1 closes the
//! socket, which PID 1 does only when the machine powers off.

use std::{
    collections::{HashMap, VecDeque},
    io,
    os::fd::OwnedFd,
    sync::Arc,
};

use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::{mpsc, oneshot},
};

use super::{
    error::LaunchError,
    process::{Process, Started, Stdio},
    shared_memory,
};
use crate::{
    cgroups,
    init::{
        packet::{self, Packet},
        protocol::{Event, HeldProcess, Request, StartRequest},
    },
    seccomp::FilterCache,
    streams::DESCRIPTOR_PATIENCE,
    sys::watch::watch,
};

/// Why the connection could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The socket failed.
    #[error("talk to PID 1")]
    Socket(#[from] io::Error),
    /// PID 1 closed it before it had said what it holds.
    #[error("PID 1 left before it had handed over the processes that run")]
    Closed,
}

/// Descriptors that PID 1 has kept, by the names under which an earlier agent gave them.
pub type Kept = HashMap<String, OwnedFd>;

/// A handle to the one task that talks to PID 1. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Processes {
    pub(super) connection: Connection,
    pub(super) filters: Arc<FilterCache>,
}

/// The way into the task.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    commands: mpsc::Sender<Command>,
}

enum Command {
    Start(Box<StartRequest>, Vec<OwnedFd>, oneshot::Sender<Result<Process, LaunchError>>),
    Find(String, oneshot::Sender<Option<Process>>),
    Tell(Request, Vec<OwnedFd>, oneshot::Sender<()>),
}

impl Processes {
    /// Takes over the connection that PID 1 has made for this agent, and every process and descriptor that it holds. What is
    /// left of containers that PID 1 does not hold (their cgroups) is removed.
    ///
    /// # Errors
    /// When PID 1 does not talk sense.
    pub async fn connect(control: OwnedFd) -> Result<(Self, Vec<Process>, Kept), ConnectError> {
        rustix::fs::fcntl_setfl(&control, rustix::fs::OFlags::NONBLOCK).map_err(io::Error::from)?;
        let socket = watch(control, Interest::READABLE | Interest::WRITABLE)?;
        let (commands, inbox) = mpsc::channel(64);
        let connection = Connection { commands };
        let mut task = Task {
            socket,
            connection: connection.commands.downgrade(),
            processes: HashMap::new(),
            starting: HashMap::new(),
            outbox: VecDeque::new(),
            spare: Spare::default(),
            kept: Kept::new(),
        };
        let adopted = task.adopt(&connection).await?;
        let alive: Vec<&str> = adopted.iter().map(Process::container_id).collect();
        cgroups::remove_all_but(&alive).await;
        shared_memory::forget_all_but(&alive);
        let kept = std::mem::take(&mut task.kept);
        tokio::spawn(task.run(inbox));
        Ok((Self { connection, filters: Arc::default() }, adopted, kept))
    }

    /// Has PID 1 keep a descriptor for the next agent, under a name.
    pub async fn keep(&self, name: String, descriptor: OwnedFd) {
        self.connection.tell_with(Request::Keep { name }, vec![descriptor]).await;
    }

    /// Has PID 1 close what it keeps under a name.
    pub async fn keep_no_more(&self, name: String) {
        self.connection.tell(Request::Drop { name }).await;
    }

    /// Tells PID 1 that the agent serves, so that the console says so.
    pub async fn listening(&self) {
        self.connection.tell(Request::Listening).await;
    }

    /// Has PID 1 end everything and power off. Does not return.
    pub async fn power_off(&self) {
        self.connection.tell(Request::PowerOff).await;
        std::future::pending::<()>().await;
    }
}

impl Connection {
    pub(super) async fn start(&self, request: StartRequest, fds: Vec<OwnedFd>) -> Result<Process, LaunchError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Start(Box::new(request), fds, reply);
        self.commands.send(command).await.map_err(|_| LaunchError::Gone)?;
        answer.await.unwrap_or(Err(LaunchError::Gone))
    }

    pub(super) async fn find(&self, id: &str) -> Option<Process> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Find(id.to_owned(), reply)).await.ok()?;
        answer.await.ok()?
    }

    pub(super) async fn close_stdin(&self, id: &str) {
        self.tell(Request::CloseStdin { id: id.to_owned() }).await;
    }

    pub(super) async fn release(&self, id: &str) {
        self.tell(Request::Release { id: id.to_owned() }).await;
    }

    /// Answers when the request is on its way. When PID 1 is gone there is nobody left to whom it would matter.
    async fn tell(&self, request: Request) {
        self.tell_with(request, Vec::new()).await;
    }

    async fn tell_with(&self, request: Request, descriptors: Vec<OwnedFd>) {
        let (reply, sent) = oneshot::channel();
        if self.commands.send(Command::Tell(request, descriptors, reply)).await.is_ok() {
            let _ = sent.await;
        }
    }
}

struct Task {
    socket: AsyncFd<OwnedFd>,
    /// For the processes that it makes; weak, so that the task ends with the last handle.
    connection: mpsc::WeakSender<Command>,
    processes: HashMap<String, Process>,
    starting: HashMap<u64, oneshot::Sender<Result<Process, LaunchError>>>,
    outbox: VecDeque<(Packet, Option<oneshot::Sender<()>>)>,
    spare: Spare,
    /// What was kept for this agent, until it is taken.
    kept: Kept,
}

impl Task {
    async fn adopt(&mut self, connection: &Connection) -> Result<Vec<Process>, ConnectError> {
        loop {
            let received = receive(&self.socket, &mut self.spare).await?;
            match received.ok_or(ConnectError::Closed)? {
                (Event::Adopted, _) => return Ok(self.processes.values().cloned().collect()),
                (Event::Held(held), descriptors) => {
                    let process = process(held, descriptors, connection.clone())?;
                    self.processes.insert(process.id().to_owned(), process);
                }
                (Event::Kept { name }, descriptors) => {
                    let descriptor = descriptors.into_iter().next();
                    self.kept.extend(descriptor.map(|descriptor| (name, descriptor)));
                }
                (event, descriptors) => self.heard(event, descriptors)?,
            }
        }
    }

    async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        let mut sequence = 0;
        loop {
            tokio::select! {
                command = inbox.recv() => match command {
                    None => return,
                    Some(command) => self.obey(command, &mut sequence),
                },
                received = receive(&self.socket, &mut self.spare) => {
                    let heard = match received {
                        Ok(Some((event, descriptors))) => self.heard(event, descriptors),
                        Ok(None) => return tracing::info!("PID 1 has closed the connection"),
                        Err(error) => Err(error),
                    };
                    if let Err(error) = heard {
                        // A message lost means a process lost. A new agent starts from what PID 1 holds.
                        return tracing::error!(%error, "PID 1 cannot be understood");
                    }
                }
                sent = send_first(&self.socket, &self.outbox), if !self.outbox.is_empty() => {
                    if let Err(error) = sent {
                        return tracing::error!(%error, "PID 1 cannot be reached");
                    }
                    if let Some((_, Some(reply))) = self.outbox.pop_front() {
                        let _ = reply.send(());
                    }
                }
            }
        }
    }

    fn obey(&mut self, command: Command, sequence: &mut u64) {
        match command {
            Command::Find(id, reply) => drop(reply.send(self.processes.get(&id).cloned())),
            Command::Tell(request, descriptors, reply) => {
                if let Request::Release { id } = &request {
                    self.processes.remove(id);
                }
                match Packet::new(&request, descriptors) {
                    Ok(packet) => self.outbox.push_back((packet, Some(reply))),
                    Err(error) => tracing::error!(%error, ?request, "PID 1 cannot be told"),
                }
            }
            Command::Start(mut request, descriptors, reply) => {
                *sequence += 1;
                request.sequence = *sequence;
                match Packet::new(&Request::Start(request), descriptors) {
                    Err(error) => drop(reply.send(Err(LaunchError::Control(error)))),
                    Ok(packet) => {
                        self.starting.insert(*sequence, reply);
                        self.outbox.push_back((packet, None));
                    }
                }
            }
        }
    }

    fn heard(&mut self, event: Event, descriptors: Vec<OwnedFd>) -> io::Result<()> {
        match event {
            Event::Started { sequence, process: held } => {
                let Some(commands) = self.connection.upgrade() else { return Ok(()) };
                let process = process(held, descriptors, Connection { commands })?;
                self.processes.insert(process.id().to_owned(), process.clone());
                let asked = self.starting.remove(&sequence);
                if let Some(Err(Ok(process))) = asked.map(|reply| reply.send(Ok(process))) {
                    tokio::spawn(discard(process));
                }
            }
            Event::Failed { sequence, failure } => {
                if let Some(reply) = self.starting.remove(&sequence) {
                    let _ = reply.send(Err(failure.map_or(LaunchError::Vanished, LaunchError::Process)));
                }
            }
            Event::Exited { id, status } => {
                if let Some(process) = self.processes.get(&id) {
                    process.ended(status);
                }
            }
            Event::Held(_) | Event::Kept { .. } | Event::Adopted => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a process handed over out of turn"));
            }
        }
        Ok(())
    }
}

/// Ends a process whose start was given up: nobody else knows of it.
async fn discard(process: Process) {
    process.kill_all();
    process.wait().await;
    let id = process.id().to_owned();
    if let Err(error) = process.release().await {
        tracing::warn!(%id, %error, "a start that was given up leaves its cgroup behind");
    }
}

/// Room in the table of descriptors for those of one message, so that PID 1 is heard when everybody else has none.
#[derive(Debug, Default)]
struct Spare(Vec<OwnedFd>);

impl Spare {
    /// As many as a process comes with.
    const ROOM: usize = 8;

    fn refill(&mut self, socket: &OwnedFd) {
        while self.0.len() < Self::ROOM {
            let Ok(one) = socket.try_clone() else { return };
            self.0.push(one);
        }
    }
}

async fn receive(socket: &AsyncFd<OwnedFd>, spare: &mut Spare) -> io::Result<Option<(Event, Vec<OwnedFd>)>> {
    loop {
        spare.refill(socket.get_ref());
        let received = socket.async_io(Interest::READABLE, |socket| match packet::receive(socket) {
            Err(error) if error.raw_os_error() == Some(libc::EMFILE) && !spare.0.is_empty() => {
                spare.0.clear();
                packet::receive(socket)
            }
            received => received,
        });
        match received.await {
            Err(error) if error.raw_os_error() == Some(libc::EMFILE) => tokio::time::sleep(DESCRIPTOR_PATIENCE).await,
            received => return received,
        }
    }
}

async fn send_first(
    socket: &AsyncFd<OwnedFd>,
    outbox: &VecDeque<(Packet, Option<oneshot::Sender<()>>)>,
) -> io::Result<()> {
    let Some((packet, _)) = outbox.front() else { return Ok(()) };
    socket.async_io(Interest::WRITABLE, |socket| packet.send(socket)).await
}

/// Puts a process together from what PID 1 says and sends.
fn process(held: HeldProcess, descriptors: Vec<OwnedFd>, connection: Connection) -> io::Result<Process> {
    let HeldProcess { id, kind, pid, started_at_nanos, streams } = held;
    let mut descriptors = descriptors.into_iter();
    let mut next = |there: bool| {
        let missing = || io::Error::new(io::ErrorKind::InvalidData, "a process came without its descriptors");
        there.then(|| descriptors.next().ok_or_else(missing)).transpose()
    };
    let pidfd = next(true)?.ok_or(io::ErrorKind::InvalidData)?;
    let (stdin, stdout) = (next(streams.stdin)?, next(streams.stdout)?);
    let (stderr, terminal) = (next(streams.stderr)?, next(streams.terminal)?);
    let stdio = Stdio::new(stdin, stdout, stderr, terminal);
    Ok(Process::new(Started { id, kind, pid, started_at_nanos, pidfd, stdio }, connection))
}
