//! The machine: a handle for many, and one task that owns the state (the diagram is in [`crate::status`]).
//!
//! * `task` — the states and what each listens to.
//! * `launch` — phases prepare and vmm.
//! * `wake` — phases kernel and agent.
//! * `failure` — how what went wrong is told.
//! * `publish` — how others see it.
//! * `power_off` — the ladder of a stop: the agent, its grace, force.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    Deadlines, Failure, Guest, HostResources, Status,
    hypervisor::{Adopt, Connection, HypervisorError, Vm},
};

mod failure;
mod launch;
mod power_off;
mod publish;
mod task;
#[cfg(test)]
mod tests;
mod wake;

pub use wake::ended;

/// Where the machine's files are, and what it is made of.
#[derive(Debug, Clone)]
pub struct MachineConfig {
    /// Folder for the sockets and files of a run; made when needed. Its path must be short.
    pub runtime_dir: PathBuf,
    /// The image's kernel.
    pub kernel: PathBuf,
    /// The image's initramfs.
    pub initramfs: PathBuf,
    /// Kernel arguments beyond the backend's.
    pub kernel_arguments: Vec<String>,
    /// The data disk; made when needed.
    pub data_disk: PathBuf,
    /// The console log; the previous boot's is beside it.
    pub console_log: PathBuf,
    /// The settings; read at each start.
    pub settings: PathBuf,
    /// What the host has.
    pub host: HostResources,
    /// Where the guest looks for the boot secret; absolute.
    pub secret_guest_path: String,
    /// Where the guest looks for what it is told of the settings; absolute, in the folder of the secret.
    pub settings_guest_path: String,
    /// How long each step may take.
    pub deadlines: Deadlines,
}

impl MachineConfig {
    /// Where the secret of the present boot is kept, so that a later daemon can talk to the guest.
    #[must_use]
    pub fn secret_file(&self) -> PathBuf {
        self.runtime_dir.join("boot-secret")
    }

    /// Where the settings that the present run began with are kept, so that a later daemon knows them too.
    #[must_use]
    pub fn run_settings(&self) -> PathBuf {
        self.runtime_dir.join("settings.json")
    }
}

/// How to stop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StopOptions {
    /// What containers get to end; the settings' value if absent.
    pub grace: Option<Duration>,
    /// Kill at once.
    pub force: bool,
}

/// A start succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Whether the machine ran before.
    pub already_running: bool,
    /// The machine now.
    pub status: Status,
}

/// A stop succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// Whether the machine was stopped before.
    pub already_stopped: bool,
    /// The machine now.
    pub status: Status,
}

/// Why a start failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StartError {
    /// A phase failed.
    #[error("{0}")]
    Failed(Failure),
    /// Somebody stopped the machine meanwhile.
    #[error("the machine was stopped while it started")]
    Stopped,
    /// The daemon is going away.
    #[error("the daemon is going away")]
    Gone,
}

/// Why a stop failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StopError {
    /// It does not even end by force.
    #[error("the machine does not end, even by force, within {} s", .0.as_secs())]
    Unkillable(Duration),
    /// The daemon is going away.
    #[error("the daemon is going away")]
    Gone,
}

/// Why a port of the guest could not be dialled.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConnectError {
    /// The machine does not run.
    #[error("the machine is not running")]
    NotRunning,
    /// The backend's reason.
    #[error(transparent)]
    Hypervisor(#[from] HypervisorError),
}

enum Request {
    Start(oneshot::Sender<Result<Started, StartError>>),
    Stop(StopOptions, oneshot::Sender<Result<Stopped, StopError>>),
    Adopt(oneshot::Sender<Result<Option<Started>, StartError>>),
}

/// A handle to the machine. When the last one is dropped the machine goes on running; only nobody watches it.
#[derive(Clone)]
pub struct Machine {
    config: Arc<MachineConfig>,
    requests: mpsc::UnboundedSender<Request>,
    status: watch::Receiver<Status>,
    history: publish::History,
    vm: watch::Receiver<Option<Arc<dyn Vm>>>,
}

impl Machine {
    /// Makes the task that owns the machine. Nothing is looked at or started yet: see [`Machine::adopt`].
    #[must_use]
    pub fn new(config: MachineConfig, hypervisor: Arc<dyn Adopt>, guest: Arc<dyn Guest>) -> Self {
        let config = Arc::new(config);
        let (requests, incoming) = mpsc::unbounded_channel();
        let (publisher, status, history, vm) = publish::channel();
        let shared = task::Shared { config: config.clone(), hypervisor, guest, publisher };
        tokio::spawn(task::run(shared, incoming));
        Self { config, requests, status, history, vm }
    }

    /// What it was made with.
    #[must_use]
    pub fn config(&self) -> &MachineConfig {
        &self.config
    }

    /// The state, now and from now on.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Each state after a revision, oldest first; the present one alone if the revision is unknown: 0, one of an earlier
    /// daemon, or one too long ago.
    #[must_use]
    pub fn states_after(&self, revision: u64) -> Vec<Status> {
        self.history.after(revision)
    }

    /// Starts the machine, or joins the start that is under way, and answers when its agent does. While it stops, this
    /// waits and then starts it again.
    ///
    /// # Errors
    /// The failure names the phase, the cause and what to do.
    pub async fn start(&self) -> Result<Started, StartError> {
        let (answer, result) = oneshot::channel();
        self.requests.send(Request::Start(answer)).map_err(|_| StartError::Gone)?;
        result.await.unwrap_or(Err(StartError::Gone))
    }

    /// Stops the machine and answers when it has ended. A start that is under way is given up.
    ///
    /// # Errors
    /// Only if not even force ends it.
    pub async fn stop(&self, options: StopOptions) -> Result<Stopped, StopError> {
        let (answer, result) = oneshot::channel();
        self.requests.send(Request::Stop(options, answer)).map_err(|_| StopError::Gone)?;
        result.await.unwrap_or(Err(StopError::Gone))
    }

    /// Takes over the machine that an earlier daemon left running, if there is one. To be called once, before anything
    /// else; requests made meanwhile wait for it.
    ///
    /// # Errors
    /// If what was left behind can neither be adopted nor ended, or its agent does not answer; it has been ended then.
    /// `Ok(None)`: there is none.
    pub async fn adopt(&self) -> Result<Option<Started>, StartError> {
        let (answer, result) = oneshot::channel();
        self.requests.send(Request::Adopt(answer)).map_err(|_| StartError::Gone)?;
        result.await.unwrap_or(Err(StartError::Gone))
    }

    /// Dials a vsock port of the guest, once. Nothing has been proved on the connection yet.
    ///
    /// # Errors
    /// If the machine does not run, or nothing answers.
    pub async fn connect(&self, port: u32) -> Result<Connection, ConnectError> {
        let vm = self.vm.borrow().clone().ok_or(ConnectError::NotRunning)?;
        Ok(vm.connect(port).await?)
    }

    /// The running machine itself, from the moment its monitor runs.
    #[must_use]
    pub fn vm(&self) -> Option<Arc<dyn Vm>> {
        self.vm.borrow().clone()
    }
}
