//! What a container shares with the guest and what it is walled off by, from the kernel's own books.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};

use cove_proto::v1::{GetIsolationResponse, Namespace};

use super::{Containers, ContainersError, blocking, folder::failed};
use crate::capabilities;

const CGROUP_ROOT: &str = "/sys/fs/cgroup";

/// The kinds of namespace, as /proc/PID/ns names them.
const KINDS: [&str; 8] = ["pid", "mnt", "net", "uts", "ipc", "cgroup", "user", "time"];

/// Files of a cgroup that say its limits.
const LIMITS: [&str; 11] = [
    "cpu.max",
    "cpu.weight",
    "cpuset.cpus",
    "cpuset.cpus.effective",
    "io.max",
    "memory.high",
    "memory.low",
    "memory.max",
    "memory.min",
    "memory.swap.max",
    "pids.max",
];

impl Containers {
    /// What a container shares, and what it is walled off by.
    ///
    /// # Errors
    /// If it does not run.
    pub async fn isolation(&self, container: &str) -> Result<GetIsolationResponse, ContainersError> {
        let pid = self.find(container)?.running()?.pid();
        blocking(move || look(pid)).await
    }
}

fn look(pid: u32) -> Result<GetIsolationResponse, ContainersError> {
    let path = PathBuf::from(format!("/proc/{pid}/status"));
    let status = fs::read_to_string(&path).map_err(failed("read", &path))?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map_or("", str::trim);
    let cgroup = cgroup_of(pid)?;
    let below = Path::new("/").join(cgroup.strip_prefix(CGROUP_ROOT).unwrap_or(&cgroup));
    Ok(GetIsolationResponse {
        pid,
        container_pid: field("NSpid:").split_whitespace().last().and_then(|pid| pid.parse().ok()).unwrap_or(0),
        namespaces: namespaces(&pid.to_string())?,
        agent_namespaces: namespaces("self")?,
        cgroup: below.to_string_lossy().into_owned(),
        limits: limits(&cgroup),
        kernel_release: rustix::system::uname().release().to_string_lossy().into_owned(),
        capabilities: capabilities::names(u64::from_str_radix(field("CapBnd:"), 16).unwrap_or(0)),
        // 2 is a filter; 0 none, 1 the strict mode of old.
        seccomp: field("Seccomp:") == "2",
    })
}

/// The namespaces of a process, "self" for the agent's.
pub(crate) fn namespaces(process: &str) -> Result<Vec<Namespace>, ContainersError> {
    use std::os::unix::fs::MetadataExt;
    let mut found = Vec::with_capacity(KINDS.len());
    for kind in KINDS {
        let path = PathBuf::from(format!("/proc/{process}/ns/{kind}"));
        match fs::metadata(&path) {
            Ok(metadata) => found.push(Namespace { kind: kind.to_owned(), inode: metadata.ino() }),
            // A kernel without this kind.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("read", &path)(error)),
        }
    }
    Ok(found)
}

/// The folder of the cgroup that a process is in.
pub(super) fn cgroup_of(pid: u32) -> Result<PathBuf, ContainersError> {
    let path = PathBuf::from(format!("/proc/{pid}/cgroup"));
    let text = fs::read_to_string(&path).map_err(failed("read", &path))?;
    let below = text.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    Ok(Path::new(CGROUP_ROOT).join(below))
}

fn limits(cgroup: &Path) -> HashMap<String, String> {
    let read = |name: &&str| {
        let text = fs::read_to_string(cgroup.join(name)).ok()?;
        Some(((*name).to_owned(), text.trim_end().to_owned()))
    };
    LIMITS.iter().filter_map(read).collect()
}
