//! What the guest is and how it is, from the kernel's own books.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use cove_proto::v1::{ContainerCounts, ContainerStatus, GetGuestResponse};

use crate::{
    clock,
    containers::{Containers, ContainersError, namespaces, started_at, timestamp},
    state::{Database, Records, StateError},
};

const ENGINE: Records<String> = Records::new("engine");
const ENGINE_ID: &str = "id";

/// Why the guest could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// A file of the kernel, or the data disk.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The database.
    #[error(transparent)]
    State(#[from] StateError),
    /// The agent's namespaces.
    #[error(transparent)]
    Namespaces(#[from] ContainersError),
    /// No random bytes for an identity.
    #[error("the system gave no random bytes: {0}")]
    Random(getrandom::Error),
}

/// What does not change while the agent runs.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The folder of the data disk.
    pub disk: PathBuf,
    /// Changes with every boot.
    pub boot_id: String,
    /// Identity of the data disk.
    pub engine_id: String,
    /// Number of CPUs.
    pub cpus: usize,
    /// Whether containers have a user namespace unless they say otherwise.
    pub user_namespaces: bool,
    /// What works with a drawback.
    pub warnings: Vec<String>,
}

impl Facts {
    /// Everything but the containers and the images.
    ///
    /// # Errors
    /// If the kernel's files cannot be read.
    pub fn read(&self) -> Result<GetGuestResponse, FactsError> {
        let uname = rustix::system::uname();
        let disk = rustix::fs::statvfs(&self.disk).map_err(|errno| unreadable(&self.disk)(errno.into()))?;
        let memory = text(Path::new("/proc/meminfo"))?;
        let status = text(Path::new("/proc/self/status"))?;
        let pid = std::process::id();
        Ok(GetGuestResponse {
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            kernel_release: uname.release().to_string_lossy().into_owned(),
            kernel_version: uname.version().to_string_lossy().into_owned(),
            arch: go_arch().to_owned(),
            boot_id: self.boot_id.clone(),
            engine_id: self.engine_id.clone(),
            cpus: u32::try_from(self.cpus).unwrap_or(u32::MAX),
            memory_bytes: kibibytes(&memory, "MemTotal:"),
            memory_available_bytes: kibibytes(&memory, "MemAvailable:"),
            disk_bytes: disk.f_blocks.saturating_mul(disk.f_frsize),
            disk_free_bytes: disk.f_bavail.saturating_mul(disk.f_frsize),
            now: timestamp(clock::now_nanos()),
            agent_started_at: started_at(pid).and_then(timestamp),
            agent_pid: pid,
            agent_resident_bytes: kibibytes(&status, "VmRSS:"),
            warnings: self.warnings.clone(),
            namespaces: namespaces("self")?,
            cpu_time: cpu_time(&text(Path::new("/proc/stat"))?),
            containers: None,
            images: 0,
            user_namespaces: self.user_namespaces,
        })
    }
}

/// Containers by status.
#[must_use]
pub fn count(containers: &Containers) -> ContainerCounts {
    let mut counts = ContainerCounts::default();
    for entry in containers.all() {
        let view = entry.now();
        *match view.status() {
            ContainerStatus::Paused => &mut counts.paused,
            ContainerStatus::Running => &mut counts.running,
            _ => &mut counts.stopped,
        } += 1;
    }
    counts
}

/// Which boot this is.
///
/// # Errors
/// If the kernel does not say.
pub fn boot_id() -> Result<String, FactsError> {
    Ok(text(Path::new("/proc/sys/kernel/random/boot_id"))?.trim().to_owned())
}

/// The identity of the data disk; made when it is first asked for.
///
/// # Errors
/// If the database fails.
pub fn engine_id(database: &Database) -> Result<String, FactsError> {
    if let Some(id) = ENGINE.get(database, ENGINE_ID)? {
        return Ok(id);
    }
    let id = new_uuid()?;
    database.write_blocking(|changes| ENGINE.put(changes, ENGINE_ID, &id))?;
    Ok(id)
}

/// A random UUID, the form that Docker's clients know of `Info.ID`.
fn new_uuid() -> Result<String, FactsError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(FactsError::Random)?;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    Ok(parts.join("-"))
}

/// The architecture in Go's words.
#[must_use]
pub fn go_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// A line like "MemTotal:  16384 kB", in bytes; 0 if there is none.
fn kibibytes(text: &str, field: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse::<u64>().ok());
    number.unwrap_or(0) * 1024
}

/// How long the CPUs have worked, from the first line of /proc/stat: "cpu  user nice system idle iowait irq softirq ...", in
/// hundredths of a second (USER_HZ, the same wherever Linux runs). Time in which they only waited is none.
fn cpu_time(stat: &str) -> Option<prost_types::Duration> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let ticks: Vec<i64> = fields.map_while(|field| field.parse().ok()).collect();
    let worked: i64 = [0, 1, 2, 5, 6].iter().filter_map(|field| ticks.get(*field)).sum();
    let nanos = i32::try_from(worked % 100 * 10_000_000).ok()?;
    Some(prost_types::Duration { seconds: worked / 100, nanos })
}

fn text(path: &Path) -> Result<String, FactsError> {
    fs::read_to_string(path).map_err(unreadable(path))
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> FactsError + use<'_> {
    |source| FactsError::Read { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_of_a_disk_stays() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("state.redb")).unwrap();
        let id = engine_id(&database).unwrap();
        assert_eq!(engine_id(&database).unwrap(), id);
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'4');
    }

    #[test]
    fn a_cpu_that_waits_does_not_work() {
        let time = cpu_time("cpu  100 20 30 9000 800 4 5 6 0 0\ncpu0 1 1 1 1\n").unwrap();
        assert_eq!((time.seconds, time.nanos), (1, 590_000_000));
        assert_eq!(cpu_time(""), None);
    }

    #[test]
    fn a_guest_can_be_looked_at() {
        let facts = Facts {
            disk: "/".into(),
            boot_id: boot_id().unwrap(),
            engine_id: "id".into(),
            cpus: 2,
            user_namespaces: false,
            warnings: Vec::new(),
        };
        let guest = facts.read().unwrap();
        assert!(guest.memory_bytes > guest.memory_available_bytes && guest.memory_available_bytes > 0);
        assert!(guest.disk_bytes > 0 && guest.agent_resident_bytes > 0);
        assert!(guest.namespaces.iter().any(|namespace| namespace.kind == "pid" && namespace.inode > 0));
        assert!(guest.agent_started_at.is_some() && guest.cpu_time.is_some());
    }
}
