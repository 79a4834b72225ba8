//! What the agent and PID 1 say to each other, over one SOCK_SEQPACKET pair that PID 1 makes for each agent.
//!
//! A message is postcard in one packet; one that is too long for that is in a sealed memfd that the packet carries
//! ([`packet`](super::packet)). Other descriptors travel beside it by SCM_RIGHTS. PID 1 holds what must outlive an agent:
//! the pidfd, the exit status and the engine's ends of the standard streams of each process, and descriptors that the agent
//! has it keep under a name: without them, what containers see of the host would end with the agent. A new agent is told of
//! all of them first.
//!
//! ```text
//! PID 1 → agent   Held*  Kept*  Adopted                 once, at the start
//! agent → PID 1   Start ──► Started | Failed            by sequence number; several may be under way
//! agent → PID 1   CloseStdin | Release | Keep | Drop | Listening | PowerOff
//! PID 1 → agent   Exited                                once per process, also right after Held
//! ```

use serde::{Deserialize, Serialize};

use crate::namespaces::OwnNamespaces;
use crate::processes::{
    error::LaunchFailure,
    launch::{ClockOffsets, DeviceNode, ExitStatus, Network, ProcessSpec, Shared},
    process::Kind,
};

/// From the agent to PID 1.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    /// Start a process. Descriptors: [`ContainerSetup`] or [`ExecSetup`] says which.
    Start(Box<StartRequest>),
    /// Close PID 1's copy of the process's standard input.
    CloseStdin {
        /// Which process.
        id: String,
    },
    /// Forget a process. One that still runs is killed.
    Release {
        /// Which process.
        id: String,
    },
    /// Keep a descriptor for the next agent.
    Keep {
        /// What it is, for the agent alone.
        name: String,
    },
    /// Close a descriptor that was kept.
    Drop {
        /// Its name.
        name: String,
    },
    /// The agent serves: tell the console.
    Listening,
    /// End everything and power off.
    PowerOff,
}

/// A process to start.
#[derive(Debug, Serialize, Deserialize)]
pub struct StartRequest {
    /// Comes back with the answer.
    pub sequence: u64,
    /// Id of the container or the exec.
    pub id: String,
    /// What it becomes.
    pub setup: Setup,
    /// The program, its user, its streams.
    pub process: ProcessSpec,
    /// The system call filter as the kernel takes it: `struct sock_filter[]`.
    pub filter: Vec<u8>,
}

/// What a process becomes.
#[derive(Debug, Serialize, Deserialize)]
pub enum Setup {
    /// The first process of a container.
    Container(Box<ContainerSetup>),
    /// A further one.
    Exec(ExecSetup),
}

/// The first process of a container. Descriptors, in this order: cgroup folder, detached root file system, detached
/// mounts of hostname, hosts, resolv.conf; then those that it calls for: pidfds of the containers whose PID and IPC
/// namespaces it shares, a pidfd of the one whose network it shares or the network namespace that was made ready, its user
/// namespace and a detached mount for /dev, a detached mount for /dev/shm, one of this program as its init; then one for
/// each of `mounts`.
#[derive(Debug, Serialize, Deserialize)]
pub struct ContainerSetup {
    /// What it sees beside its root file system, in the order in which that is attached.
    pub mounts: Vec<MountSetup>,
    /// Host name.
    pub hostname: String,
    /// NIS domain name; empty for none.
    pub domainname: String,
    /// What network it has.
    pub network: Network,
    /// Whether the root file system is made read-only at the end.
    pub read_only_rootfs: bool,
    /// Paths hidden from it.
    pub masked_paths: Vec<String>,
    /// Paths read-only for it.
    pub read_only_paths: Vec<String>,
    /// Size of /dev/shm in bytes.
    pub shm_bytes: u64,
    /// Whether it has all devices, and /sys writable.
    pub privileged: bool,
    /// Whether it may write to its cgroup.
    pub writable_cgroups: bool,
    /// Whether it has a user namespace.
    pub remapped: bool,
    /// By how much its clocks differ; none for the guest's.
    pub clocks: Option<ClockOffsets>,
    /// Namespaces that it shares.
    pub shared: Shared,
    /// Kernel parameters of its namespaces: path below /proc/sys, value.
    pub sysctls: Vec<(String, String)>,
    /// Whether Cove's init comes before its program.
    pub init: bool,
    /// Devices that it gets.
    pub devices: Vec<DeviceNode>,
}

/// What is to be done with a detached mount.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MountSetup {
    /// Where it is attached.
    pub target: String,
    /// What it is, for who reads an error.
    pub source: String,
    /// The path within that is attached instead of all; empty for all.
    pub part: String,
    /// Whether its root takes the mode of the folder that it is attached to, if that was there.
    pub takes_mode: bool,
    /// Whether it becomes read-only before it is attached.
    pub read_only: bool,
    /// Whether it passes on what is mounted below it.
    pub shared: bool,
}

/// A further process of a container. Descriptors, in this order: cgroup folder, pidfd of the container's first process.
#[derive(Debug, Serialize, Deserialize)]
pub struct ExecSetup {
    /// Id of the container.
    pub container_id: String,
    /// What of the container is not the guest's.
    pub own: OwnNamespaces,
}

impl Setup {
    /// What the process is to its container.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Container(_) => Kind::Container,
            Self::Exec(exec) => Kind::Exec { container_id: exec.container_id.clone() },
        }
    }
}

/// From PID 1 to the agent.
#[derive(Debug, Serialize, Deserialize)]
pub enum Event {
    /// A process that PID 1 holds for the agent to adopt. Descriptors: see [`HeldProcess`].
    Held(HeldProcess),
    /// A descriptor that an earlier agent had PID 1 keep.
    Kept {
        /// Its name.
        name: String,
    },
    /// That was all of them.
    Adopted,
    /// The program was executed. Descriptors: see [`HeldProcess`].
    Started {
        /// Of the request.
        sequence: u64,
        /// The process.
        process: HeldProcess,
    },
    /// The program was not executed; nothing is left of the process.
    Failed {
        /// Of the request.
        sequence: u64,
        /// Why, if the process said so.
        failure: Option<LaunchFailure>,
    },
    /// A process has ended.
    Exited {
        /// Which one.
        id: String,
        /// How.
        status: ExitStatus,
    },
}

/// A process that PID 1 holds. Descriptors, in this order: the pidfd, then those of [`Streams`] that are there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HeldProcess {
    /// Id of the container or the exec.
    pub id: String,
    /// What it is to its container.
    pub kind: Kind,
    /// Its process id in the guest.
    pub pid: u32,
    /// When its program was executed: nanoseconds since 1970.
    pub started_at_nanos: i64,
    /// Which of the engine's ends there are.
    pub streams: Streams,
}

/// Which of the engine's ends of the standard streams there are, in the order in which their descriptors are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streams {
    /// Standard input.
    pub stdin: bool,
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
    /// The master of a terminal, instead of the three.
    pub terminal: bool,
}

/// From a process on its way to its program, to PID 1. The end of the stream means that the program was executed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The helper of an exec has made the process. Descriptor: its pidfd.
    Process {
        /// Its process id in the guest.
        pid: u32,
    },
    /// The process has made its terminal. Descriptor: the master.
    Terminal,
    /// The process gives up.
    Failed(LaunchFailure),
}
