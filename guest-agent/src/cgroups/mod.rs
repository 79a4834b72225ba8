//! The cgroup of each container: `/sys/fs/cgroup/containers/ID`, or below a parent of the user's own ([`parents`]).
//!
//! cgroups-rs writes the limits that it covers ([`limits`]); what it lacks stands beside it: block devices ([`io`]), the
//! device program ([`devices`]), waiting for a cgroup to become empty ([`remove`]), cgroup.kill ([`kill`]), kills for want
//! of memory ([`oom`]), freezing ([`freezer`]). [`update`] changes limits, [`layout`] is what PID 1 makes at boot.

pub mod devices;
mod events;
pub mod freezer;
pub mod io;
pub mod kill;
pub mod layout;
pub mod limits;
pub mod oom;
mod parents;
pub mod remove;
pub mod update;

use std::{
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags};

pub use freezer::{freeze, is_frozen};
pub use kill::kill;
pub use oom::{oom_kills, oom_kills_beyond};
pub use remove::{remove, remove_all_but};

use crate::processes::launch::{DeviceRule, Resources};

/// Where the one cgroup hierarchy of the guest is mounted.
pub const ROOT: &str = "/sys/fs/cgroup";

/// The cgroup that those of containers are in.
pub const CONTAINERS: &str = "/sys/fs/cgroup/containers";

/// Why something about a container's cgroup failed.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// It could not be made.
    #[error("create cgroup {path}")]
    Create {
        /// Its folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It would be in the cgroup of another container, and end with that.
    #[error("cgroup {path} has the name of a container")]
    Parent {
        /// Its folder.
        path: PathBuf,
    },
    /// It could not be opened.
    #[error("open cgroup {path}")]
    Open {
        /// Its folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A limit was refused.
    #[error("set {file} to {value}")]
    Limit {
        /// The file.
        file: &'static str,
        /// What was written.
        value: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Its devices could not be restricted.
    #[error("restrict the devices of cgroup {path}")]
    Devices {
        /// Its folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file of it could not be written.
    #[error("write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Its processes hang in the kernel.
    #[error("processes in cgroup {path} neither end nor freeze")]
    Busy {
        /// Its folder.
        path: PathBuf,
    },
    /// It could not be removed.
    #[error("remove cgroup {path}")]
    Remove {
        /// Its folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The cgroup of a process is not known.
    #[error("find the cgroup of process {pid}")]
    OfProcess {
        /// Which process.
        pid: u32,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

fn folder(id: &str) -> PathBuf {
    parents::find(Path::new(CONTAINERS), id)
}

/// Makes the cgroup of a container below `parent`, with its limits and its device program in force, and opens it. `devices`
/// says what it may use beside the usual ones; `None` is all of them.
///
/// # Errors
/// When any of that fails; the cgroup may be left, to be removed by [`remove()`].
pub fn create(
    id: &str,
    parent: &str,
    resources: &Resources,
    devices: Option<&[DeviceRule]>,
) -> Result<OwnedFd, CgroupError> {
    let root = Path::new(CONTAINERS);
    let parent = parents::place(root, parent);
    parents::make(root, &parent)?;
    let path = parent.join(id);
    let make = || std::fs::create_dir(&path);
    let made = match make() {
        // A run that nobody cleaned up behind: the agent was killed in the middle of it.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            remove::remove_now(&path)?;
            make()
        }
        made => made,
    };
    made.map_err(|source| CgroupError::Create { path: path.clone(), source })?;
    limits::set(&path, resources)?;
    let cgroup = open_folder(&path)?;
    if let Some(more) = devices {
        devices::restrict(&cgroup, more)
            .map_err(|errno| CgroupError::Devices { path: path.clone(), source: errno.into() })?;
    }
    Ok(cgroup)
}

/// The processes of a container, as far as they can be known while they come and go.
#[must_use]
pub fn processes(id: &str) -> Vec<u32> {
    let folder = folder(id);
    let mut folders = remove::below(&folder);
    folders.push(folder);
    let listed = folders.iter().filter_map(|folder| std::fs::read_to_string(folder.join("cgroup.procs")).ok());
    listed.flat_map(|pids| pids.lines().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// Opens the cgroup of a container.
///
/// # Errors
/// When there is none.
pub fn open(id: &str) -> Result<OwnedFd, CgroupError> {
    open_folder(&folder(id))
}

/// Opens the cgroup that a process of a container is in: its container's, or one below that.
///
/// # Errors
/// When the process has ended, or is in no container.
pub fn open_of_process(pid: u32) -> Result<OwnedFd, CgroupError> {
    let failed = |source| CgroupError::OfProcess { pid, source };
    let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).map_err(failed)?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default();
    let path = PathBuf::from(format!("{ROOT}{path}"));
    if !path.starts_with(CONTAINERS) {
        return Err(failed(std::io::ErrorKind::NotFound.into()));
    }
    open_folder(&path)
}

fn open_folder(path: &Path) -> Result<OwnedFd, CgroupError> {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| CgroupError::Open { path: path.to_owned(), source: errno.into() })
}
