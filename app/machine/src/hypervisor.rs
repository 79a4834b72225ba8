//! What a hypervisor must offer to run Cove's machine, and what it is given.
//!
//! The level is that of a managed virtual machine: start it, know how it ended, dial a port of its guest. A backend that
//! has to be told anything else than [`MachineSpec`] is a new field there, not a method here.

use std::{future::Future, path::PathBuf, pin::Pin, sync::Arc};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};

/// A future of a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A connected byte stream.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection to a vsock port of the guest.
pub type Connection = Box<dyn Stream>;

/// All that a backend needs to make a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineSpec {
    /// Folder for sockets and other files of this one run; short, because socket paths are limited.
    pub runtime_dir: PathBuf,
    /// Uncompressed kernel.
    pub kernel: PathBuf,
    /// Initramfs, with the boot secret's cpio at its end.
    pub initramfs: PathBuf,
    /// Kernel arguments beyond those the backend needs itself (console, panic).
    pub kernel_arguments: Vec<String>,
    /// Number of virtual CPUs.
    pub cpus: u32,
    /// Memory in bytes, a multiple of 1 MiB.
    pub memory_bytes: u64,
    /// The data disk: a raw, sparse file that exists.
    pub data_disk: PathBuf,
    /// Where the console is written.
    pub console_log: PathBuf,
}

/// How a machine is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum VmState {
    /// Its monitor and kernel run.
    Running,
    /// It has ended. Final.
    Ended(Exit),
}

/// How a machine ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// The guest powered off.
    PowerOff,
    /// The guest's kernel panicked.
    Panic,
    /// The guest asked for a reset.
    Reset,
    /// [`Vm::kill`] was called.
    Forced,
    /// The monitor, or what it depends on, died; what is known about it.
    VmmDied(String),
}

/// Something about the host that keeps a machine from running, or from running well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// A stable name: `qemu.version`.
    pub name: String,
    /// The verdict.
    pub verdict: Verdict,
    /// What was found, one sentence.
    pub finding: String,
    /// What to do about it; empty when nothing is to be done.
    pub fix: String,
}

/// The verdict of a [`Check`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Fine.
    Ok,
    /// Works, with a drawback.
    Warning,
    /// A machine cannot start.
    Problem,
}

/// What a machine runs on, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// "QEMU 10.0.2".
    pub hypervisor: String,
    /// "kvm", "tcg", "hvf", "hyper-v".
    pub accelerator: String,
    /// "vhost-vsock", "vhost-device-vsock", ...
    pub vsock: String,
    /// The guest's vsock context id.
    pub cid: u32,
    /// The process that owns the machine: on a desktop, its helper.
    pub owner_pid: u32,
    /// What works but has a drawback that the user should know, one sentence each: no hardware acceleration.
    pub warnings: Vec<String>,
}

/// Why a backend could not do something.
#[derive(Debug, Clone, thiserror::Error, Serialize, Deserialize)]
pub enum HypervisorError {
    /// The host lacks something; every problem is one check with its fix.
    #[error("this host cannot run the machine: {}", .0.iter().map(|c| format!("{}; {}", c.finding, c.fix)).collect::<Vec<_>>().join("; "))]
    Host(Vec<Check>),
    /// An operation on the monitor failed.
    #[error("{operation}: {cause}")]
    Operation {
        /// What was tried, "start qemu-system-x86_64".
        operation: String,
        /// What the system or the monitor said.
        cause: String,
    },
    /// The machine has ended.
    #[error("the machine has ended: {0:?}")]
    Ended(Exit),
    /// Nothing in the guest listens on the port (yet).
    #[error("nothing in the guest answers on vsock port {0}")]
    NotListening(u32),
}

/// A way to run machines.
pub trait Hypervisor: Send + Sync {
    /// Looks at the host without changing it.
    fn check(&self) -> BoxFuture<'_, Vec<Check>>;
    /// Starts a machine and answers when its monitor runs it.
    ///
    /// # Errors
    /// [`HypervisorError::Host`] if the host lacks something; nothing is left behind on any error.
    fn start(&self, spec: MachineSpec) -> BoxFuture<'_, Result<Arc<dyn Vm>, HypervisorError>>;
}

/// What an earlier process left behind.
pub enum Adoption {
    /// A machine that runs.
    Living(Arc<dyn Vm>),
    /// A machine that has ended since, and how.
    Ended(Exit),
    /// Nothing.
    Nothing,
}

/// A hypervisor whose machines outlive the process that started them.
pub trait Adopt: Hypervisor {
    /// Finds the machine of an earlier process by its [`MachineSpec::runtime_dir`]. What cannot be adopted is ended, so
    /// that a start afterwards finds a free place. An end is told once.
    ///
    /// # Errors
    /// [`HypervisorError::Operation`] if what was left behind can neither be adopted nor ended.
    fn adopt(&self, runtime_dir: PathBuf) -> BoxFuture<'_, Result<Adoption, HypervisorError>>;
}

/// A machine.
pub trait Vm: Send + Sync {
    /// How it is, now and from now on.
    fn state(&self) -> watch::Receiver<VmState>;
    /// What it runs on.
    fn platform(&self) -> Platform;
    /// Dials a vsock port of the guest.
    ///
    /// # Errors
    /// [`HypervisorError::NotListening`] may be tried again; the others are final.
    fn connect(&self, port: u32) -> BoxFuture<'_, Result<Connection, HypervisorError>>;
    /// Ends it by force and answers when it has ended. Done twice it is done.
    fn kill(&self) -> BoxFuture<'_, ()>;
}
