//! What it takes to start a process of a container: everything resolved, nothing left to look up but what only the
//! container's own root file system can say (users, the executable).

use std::{os::fd::OwnedFd, path::PathBuf, sync::Arc};

use crate::seccomp::custom::Profile;

/// A container to start. Built by `containers::start`, carried out by [`super::Processes::start_container`].
#[derive(Debug, Clone)]
pub struct ContainerLaunch {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Unpacked layers of the image, the highest first (the order of overlayfs).
    pub layers: Vec<PathBuf>,
    /// Writable layer.
    pub upper: PathBuf,
    /// overlayfs's work folder, on the file system of `upper`.
    pub work: PathBuf,
    /// Host name.
    pub hostname: String,
    /// NIS domain name; empty for none.
    pub domainname: String,
    /// Files that the container sees in /etc.
    pub etc: EtcFiles,
    /// What network it has.
    pub network: Network,
    /// The cgroup that its own is in, below that of all containers; empty for that.
    pub cgroup_parent: String,
    /// What it may use.
    pub resources: Resources,
    /// Whether the root file system is read-only.
    pub read_only_rootfs: bool,
    /// Paths hidden from it, absolute.
    pub masked_paths: Vec<String>,
    /// Paths read-only for it, absolute.
    pub read_only_paths: Vec<String>,
    /// Size of /dev/shm in bytes.
    pub shm_bytes: u64,
    /// Whether it has all devices, and /sys and cgroups writable.
    pub privileged: bool,
    /// What it sees beside its root file system, in the order in which that is attached.
    pub mounts: Vec<MountLaunch>,
    /// The network namespace that it lives in, with [`Network::Ready`].
    pub namespace: Option<Arc<OwnedFd>>,
    /// Its user namespace; none for the guest's. [`Self::namespace`] belongs to it.
    pub user_namespace: Option<Arc<OwnedFd>>,
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
    /// Devices that it may use beside the usual ones.
    pub device_rules: Vec<DeviceRule>,
    /// Whether it may write to its cgroup.
    pub writable_cgroups: bool,
    /// Its first process.
    pub process: ProcessSpec,
}

/// What a container sees at a path.
#[derive(Debug, Clone)]
pub struct MountLaunch {
    /// The path in the container; absolute.
    pub target: String,
    /// What it sees there.
    pub source: MountSource,
    /// Whether it cannot be written to, nor what is mounted below it.
    pub read_only: bool,
    /// Whether what is mounted below it in one of the container's mount namespaces shows in the others.
    pub shared: bool,
}

/// What a container sees at a path.
#[derive(Debug, Clone)]
pub enum MountSource {
    /// A folder of the guest, or what is at a path within it, which nothing leads out of.
    Folder {
        /// The folder.
        path: PathBuf,
        /// The path within; empty for the folder itself.
        subpath: String,
    },
    /// The files of an image, or what is at a path within them.
    Layers {
        /// Unpacked layers, the highest first.
        layers: Vec<PathBuf>,
        /// The path within; empty for all.
        subpath: String,
    },
    /// A folder or a file of the host.
    Host {
        /// Where it is mounted in the guest.
        path: PathBuf,
        /// Where it is on the host, for messages.
        shown: String,
    },
    /// Memory.
    Memory(crate::rootfs::tmpfs::Tmpfs),
}

/// Namespaces that a container has in common with others. It has its own of the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Shared {
    /// Process ids.
    pub pid: With,
    /// System V IPC and POSIX message queues.
    pub ipc: With,
    /// The container whose network it has, with [`Network::Joined`].
    pub network: Option<String>,
    /// Whether it has the guest's host name.
    pub uts: bool,
    /// Whether it sees the guest's cgroups.
    pub cgroup: bool,
    /// What it has at /dev/shm.
    pub memory: SharedMemory,
}

/// By how many seconds the clocks of a time namespace are ahead of the guest's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ClockOffsets {
    /// CLOCK_MONOTONIC.
    pub monotonic: i64,
    /// CLOCK_BOOTTIME.
    pub boottime: i64,
}

/// With whom a namespace is shared.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum With {
    /// With nobody.
    #[default]
    Nobody,
    /// With the guest.
    Guest,
    /// With the container of this id.
    Container(String),
}

impl With {
    /// The id of the container.
    #[must_use]
    pub fn container(&self) -> Option<&str> {
        match self {
            Self::Container(id) => Some(id),
            Self::Nobody | Self::Guest => None,
        }
    }
}

impl Shared {
    /// The ids of the containers: for processes, for IPC, for the network.
    pub fn containers(&self) -> impl Iterator<Item = &str> {
        [self.pid.container(), self.ipc.container(), self.network.as_deref()].into_iter().flatten()
    }
}

/// What a container has at /dev/shm.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum SharedMemory {
    /// A file system that nobody else can have.
    #[default]
    Private,
    /// Nothing.
    Absent,
    /// A file system that other containers can have as well.
    Shareable,
    /// What the container of this id has.
    Of(String),
    /// What all have that share the guest's IPC namespace.
    Guest,
}

/// A device node of a container.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DeviceNode {
    /// Absolute path in the container.
    pub path: String,
    /// A block device, else a character device.
    pub block: bool,
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Permissions.
    pub mode: u32,
    /// Owner and group.
    pub owner: (u32, u32),
}

/// What a container may do with which devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceRule {
    /// Which kind; any when `None`.
    pub kind: Option<DeviceKind>,
    /// Major number; any when `None`.
    pub major: Option<u32>,
    /// Minor number; any when `None`.
    pub minor: Option<u32>,
    /// What it may do: [`DeviceRule::MAKE`] and so on.
    pub access: u8,
}

impl DeviceRule {
    /// Make a node.
    pub const MAKE: u8 = 1;
    /// Open it for reading.
    pub const READ: u8 = 2;
    /// Open it for writing.
    pub const WRITE: u8 = 4;
}

/// Kinds of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    /// Block devices.
    Block,
    /// Character devices.
    Character,
}

/// Files of the guest that are bind-mounted over the container's.
#[derive(Debug, Clone)]
pub struct EtcFiles {
    /// /etc/hostname.
    pub hostname: PathBuf,
    /// /etc/hosts.
    pub hosts: PathBuf,
    /// /etc/resolv.conf.
    pub resolv_conf: PathBuf,
}

/// What network a container has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Network {
    /// A namespace of its own with loopback.
    Loopback,
    /// One that was made ready for it, [`ContainerLaunch::namespace`].
    Ready,
    /// The guest's.
    Host,
    /// Another container's, [`Shared::network`].
    Joined,
}

/// Limits of a container's cgroup. `None` is the kernel's default, no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources {
    /// cpu.max: (quota, period) in microseconds.
    pub cpu_max: Option<(u64, u64)>,
    /// Docker's cpu-shares, 2 to 262144; becomes cpu.weight.
    pub cpu_shares: Option<u64>,
    /// cpuset.cpus.
    pub cpuset_cpus: Option<String>,
    /// cpuset.mems.
    pub cpuset_mems: Option<String>,
    /// memory.max in bytes.
    pub memory_bytes: Option<u64>,
    /// memory.swap.max in bytes: swap alone, unlike Docker's field.
    pub swap_bytes: Option<u64>,
    /// memory.low in bytes.
    pub memory_reservation_bytes: Option<u64>,
    /// pids.max.
    pub pids: Option<u64>,
    /// Docker's blkio-weight, 10 to 1000; becomes io.weight.
    pub io_weight: Option<u64>,
    /// Limits for single block devices.
    pub io: Vec<IoLimit>,
}

/// A limit for one block device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IoLimit {
    /// Major and minor number.
    pub device: (u32, u32),
    /// What is limited.
    pub what: IoKind,
    /// How much.
    pub limit: u64,
}

/// What can be limited of a block device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IoKind {
    /// Bytes read per second.
    ReadBytes,
    /// Bytes written per second.
    WrittenBytes,
    /// Reads per second.
    Reads,
    /// Writes per second.
    Writes,
}

/// A further process in a container that runs.
#[derive(Debug, Clone)]
pub struct ExecLaunch {
    /// Id of the exec, 64 hexadecimal digits.
    pub id: String,
    /// Id of the container.
    pub container_id: String,
    /// The process.
    pub process: ProcessSpec,
    /// Whether the container is privileged (its devices and filter are then not restricted for the exec either).
    pub privileged: bool,
}

/// A process.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct ProcessSpec {
    /// Program and arguments, at least one.
    pub args: Vec<String>,
    /// The whole environment.
    pub env: Vec<String>,
    /// Folder that it starts in; absolute.
    pub working_dir: String,
    /// "user", "uid", "user:group", "uid:gid", or empty for root; looked up in the container's /etc/passwd and /etc/group.
    pub user: String,
    /// More groups: names or numbers.
    pub groups: Vec<String>,
    /// Its standard streams.
    pub stdio: StdioSpec,
    /// The capabilities it is bounded by and, if root, has; bit n is capability n.
    pub capabilities: u64,
    /// PR_SET_NO_NEW_PRIVS.
    pub no_new_privileges: bool,
    /// The system call filter. PID 1 gets what it is compiled to.
    #[serde(skip)]
    pub seccomp: Seccomp,
    /// setrlimit(2).
    pub rlimits: Vec<Rlimit>,
    /// /proc/self/oom_score_adj.
    pub oom_score_adj: i32,
}

/// The standard streams of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum StdioSpec {
    /// A terminal of this size (rows, columns; 0 × 0 is left as the kernel makes it).
    Terminal {
        /// Rows.
        rows: u16,
        /// Columns.
        columns: u16,
    },
    /// A pipe for each stream that is asked for, /dev/null for the others.
    Pipes {
        /// Standard input.
        stdin: bool,
        /// Standard output.
        stdout: bool,
        /// Standard error.
        stderr: bool,
    },
}

/// A system call filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Seccomp {
    /// Docker's default profile for the process's capabilities.
    #[default]
    Default,
    /// None but for what keeps containers away from the control channel (AF_VSOCK).
    ControlChannelOnly,
    /// One that the user wrote.
    Custom(Arc<Profile>),
}

/// A limit of setrlimit(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rlimit {
    /// RLIMIT_NOFILE and so on.
    pub resource: u32,
    /// Soft limit; `u64::MAX` is unlimited.
    pub soft: u64,
    /// Hard limit.
    pub hard: u64,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ExitStatus {
    /// 0-255; 128 plus the signal's number when a signal ended it.
    pub code: i32,
    /// When PID 1 reaped it: nanoseconds since 1970.
    pub finished_at_nanos: i64,
}
