//! A process of a container: its streams, signals to it, its end.

use std::{
    io,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError},
};

use rustix::termios::Winsize;
use tokio::sync::watch;

use super::{connection::Connection, kill_session::kill_session, launch::ExitStatus, shared_memory};
use crate::{
    cgroups::{self, CgroupError, update::Change},
    sys::send_signal::send_signal,
};

/// What a process is to its container.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Kind {
    /// Its first process.
    Container,
    /// A further one.
    Exec {
        /// Id of the container.
        container_id: String,
    },
}

/// The engine's ends of the standard streams, in non-blocking mode. PID 1 holds copies of them until the process is
/// released, so that they outlive the agent.
#[derive(Debug)]
pub struct Stdio {
    stdin: Mutex<Option<Arc<OwnedFd>>>,
    /// Where its standard output is read; `None` when it has a terminal or was not asked for.
    pub stdout: Option<Arc<OwnedFd>>,
    /// Where its standard error is read; `None` when it has a terminal or was not asked for.
    pub stderr: Option<Arc<OwnedFd>>,
    /// The master of its terminal, for both directions. Reading it gives EIO, not an end of file, when nobody has the
    /// terminal open any more.
    pub terminal: Option<Arc<OwnedFd>>,
}

impl Stdio {
    /// Puts the ends together.
    #[must_use]
    pub fn new(
        stdin: Option<OwnedFd>,
        stdout: Option<OwnedFd>,
        stderr: Option<OwnedFd>,
        terminal: Option<OwnedFd>,
    ) -> Self {
        Self {
            stdin: Mutex::new(stdin.map(Arc::new)),
            stdout: stdout.map(Arc::new),
            stderr: stderr.map(Arc::new),
            terminal: terminal.map(Arc::new),
        }
    }

    /// Where to write its standard input; `None` when it has a terminal, was not asked for, or is closed. The process
    /// sees the end of its input when [`Process::close_stdin`] was called and the last `Arc` is dropped.
    #[must_use]
    pub fn stdin(&self) -> Option<Arc<OwnedFd>> {
        self.stdin.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn close_stdin(&self) {
        drop(self.stdin.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Why a signal was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    /// The process has ended.
    #[error("the process has ended")]
    Ended,
    /// There is no such signal.
    #[error("invalid signal: {0}")]
    Invalid(i32),
    /// The kernel refused.
    #[error("signal {signal}")]
    Refused {
        /// Which one.
        signal: i32,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Why a process could not be forgotten. PID 1 has forgotten it all the same.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ReleaseError(#[from] CgroupError);

/// A process of a container that PID 1 started. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Process {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: String,
    kind: Kind,
    pid: u32,
    started_at_nanos: i64,
    pidfd: OwnedFd,
    stdio: Stdio,
    end: watch::Sender<Option<End>>,
    connection: Connection,
}

/// How it ended.
#[derive(Debug, Clone, Copy)]
struct End {
    status: ExitStatus,
    oom_killed: bool,
}

/// What is known of a process when it has been started.
pub(super) struct Started {
    pub(super) id: String,
    pub(super) kind: Kind,
    pub(super) pid: u32,
    pub(super) started_at_nanos: i64,
    pub(super) pidfd: OwnedFd,
    pub(super) stdio: Stdio,
}

impl Process {
    pub(super) fn new(started: Started, connection: Connection) -> Self {
        let Started { id, kind, pid, started_at_nanos, pidfd, stdio } = started;
        let end = watch::Sender::new(None);
        Self { inner: Arc::new(Inner { id, kind, pid, started_at_nanos, pidfd, stdio, end, connection }) }
    }

    /// PID 1 said that it has ended.
    pub(super) fn ended(&self, status: ExitStatus) {
        let oom_killed = self.kernel_killed_for_memory();
        self.inner.end.send_replace(Some(End { status, oom_killed }));
    }

    /// Id of the container or the exec.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// Whether it is a container's first process.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.inner.kind
    }

    /// Id of the container.
    #[must_use]
    pub fn container_id(&self) -> &str {
        match &self.inner.kind {
            Kind::Container => &self.inner.id,
            Kind::Exec { container_id } => container_id,
        }
    }

    /// Its process id in the guest. For showing; signals go through the pidfd.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.inner.pid
    }

    /// When its program was executed: nanoseconds since 1970.
    #[must_use]
    pub fn started_at_nanos(&self) -> i64 {
        self.inner.started_at_nanos
    }

    /// The engine's ends of its standard streams.
    #[must_use]
    pub fn stdio(&self) -> &Stdio {
        &self.inner.stdio
    }

    pub(super) fn pidfd(&self) -> &OwnedFd {
        &self.inner.pidfd
    }

    /// Closes its standard input, here and in PID 1. A terminal stays as it is.
    pub async fn close_stdin(&self) {
        self.inner.stdio.close_stdin();
        self.inner.connection.close_stdin(&self.inner.id).await;
    }

    /// Sets the size of its terminal. Where there is none that is no error, as with containerd.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn resize(&self, rows: u16, columns: u16) -> io::Result<()> {
        let Some(terminal) = &self.inner.stdio.terminal else { return Ok(()) };
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(rustix::termios::tcsetwinsize(terminal, size)?)
    }

    /// Waits for its end. Any number of callers may, also after it.
    pub async fn wait(&self) -> ExitStatus {
        let mut end = self.inner.end.subscribe();
        loop {
            if let Some(end) = *end.borrow_and_update() {
                return end.status;
            }
            // The sender is in `self`, so the channel cannot close.
            let _ = end.changed().await;
        }
    }

    /// How it ended; `None` while it runs.
    #[must_use]
    pub fn exited(&self) -> Option<ExitStatus> {
        self.inner.end.borrow().map(|end| end.status)
    }

    /// Sends it a signal, by pidfd and therefore never to another process.
    ///
    /// # Errors
    /// [`SignalError::Ended`] when it has ended.
    pub fn signal(&self, signal: i32) -> Result<(), SignalError> {
        if self.exited().is_some() {
            return Err(SignalError::Ended);
        }
        if !(1..=64).contains(&signal) {
            return Err(SignalError::Invalid(signal));
        }
        send_signal(&self.inner.pidfd, signal).map_err(|errno| match errno {
            rustix::io::Errno::SRCH => SignalError::Ended,
            errno => SignalError::Refused { signal, source: errno.into() },
        })
    }

    /// Kills every process of the container. For an exec, only itself.
    pub fn kill_all(&self) {
        let killed = match self.inner.kind {
            Kind::Container => cgroups::kill(&self.inner.id),
            Kind::Exec { .. } => return drop(self.signal(libc::SIGKILL)),
        };
        if let Err(error) = killed {
            // Its first process takes the others with it, so little is lost.
            tracing::warn!(container = %self.inner.id, %error, "cgroup.kill failed; killing the first process");
            drop(self.signal(libc::SIGKILL));
        }
    }

    /// Kills it with all that it started and that is still of its session.
    pub fn kill_session(&self) {
        kill_session(self.container_id(), self.inner.pid);
        // Its number may be another's by now; its pidfd is not.
        drop(self.signal(libc::SIGKILL));
    }

    /// Freezes the processes of the container, or lets them go on.
    ///
    /// # Errors
    /// When the kernel does not do it.
    pub async fn freeze(&self, freeze: bool) -> Result<(), CgroupError> {
        cgroups::freeze(self.container_id(), freeze).await
    }

    /// Whether the processes of the container are frozen.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        cgroups::is_frozen(self.container_id())
    }

    /// Changes the limits of the container.
    ///
    /// # Errors
    /// When the kernel refuses one.
    pub async fn limit(&self, change: Change) -> Result<(), CgroupError> {
        cgroups::update::update(self.container_id(), change).await
    }

    /// Forgets it, here and in PID 1; one that still runs is killed. Of a container, ends what is left and removes its
    /// cgroup. A container must be released before it is started again.
    ///
    /// # Errors
    /// When the cgroup stays behind.
    pub async fn release(self) -> Result<(), ReleaseError> {
        self.inner.connection.release(&self.inner.id).await;
        match self.inner.kind {
            Kind::Container => {
                shared_memory::forget(&self.inner.id);
                Ok(cgroups::remove(&self.inner.id).await?)
            }
            Kind::Exec { .. } => Ok(()),
        }
    }

    /// Waits until the kernel has killed more than `known` processes of the container for want of memory; `None` when its
    /// cgroup is gone.
    pub async fn oom_kills_beyond(&self, known: u64) -> Option<u64> {
        cgroups::oom_kills_beyond(self.container_id(), known).await.ok()
    }

    /// Whether the kernel has killed a process of the container for want of memory in this run.
    #[must_use]
    pub fn oom_killed(&self) -> bool {
        self.inner.end.borrow().map_or_else(|| self.kernel_killed_for_memory(), |end| end.oom_killed)
    }

    fn kernel_killed_for_memory(&self) -> bool {
        matches!(self.inner.kind, Kind::Container) && cgroups::oom_kills(&self.inner.id) > 0
    }
}
