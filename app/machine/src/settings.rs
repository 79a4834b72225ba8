//! How large the machine is, and what holds for its containers, as the user set it: a JSON file that is replaced as a whole.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// Below this the guest's kernel, agent and a file system check do not fit.
pub const MIN_MEMORY_BYTES: u64 = 256 * MIB;
/// Below this the data disk is of no use.
pub const MIN_DISK_BYTES: u64 = GIB;
/// More than this ext4 does not hold with 4 KiB blocks and the features we make it with.
pub const MAX_DISK_BYTES: u64 = 16 << 40;
/// A stop that takes longer than this is one that never comes.
pub const MAX_GRACE_SECONDS: u64 = 3600;
const MAX_DEFAULT_CPUS: u32 = 8;

/// What the host has to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostResources {
    /// Number of CPUs.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
}

/// The settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineSettings {
    /// Number of virtual CPUs.
    pub cpus: u32,
    /// Memory in bytes, a multiple of 1 MiB.
    pub memory_bytes: u64,
    /// Size of the data disk in bytes, a multiple of 1 MiB. The disk never shrinks.
    pub disk_bytes: u64,
    /// How many seconds containers get to stop before they are killed.
    pub grace_seconds: u64,
    /// Whether containers have a user namespace unless they say otherwise.
    pub user_namespaces: bool,
}

/// What the file holds: what is absent keeps its default, so that a default may change with the host.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Stored {
    cpus: Option<u32>,
    memory_bytes: Option<u64>,
    disk_bytes: Option<u64>,
    grace_seconds: Option<u64>,
    user_namespaces: Option<bool>,
}

/// What of the settings the guest is told.
#[derive(Debug, Serialize)]
struct ForGuest {
    user_namespaces: bool,
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file could not be read.
    #[error("read the settings in {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("understand the settings in {path}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The file could not be written.
    #[error("write the settings to {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A value is out of range.
    #[error("{name} is {value}, but must be {rule}")]
    Range {
        /// Which one.
        name: &'static str,
        /// Its value.
        value: u64,
        /// What it must be.
        rule: String,
    },
}

impl MachineSettings {
    /// The defaults for a host: its CPUs up to 8, half of its memory between 1 and 4 GiB, a sparse disk of 64 GiB.
    #[must_use]
    pub fn defaults(host: HostResources) -> Self {
        let memory = (host.memory_bytes / 2).clamp(GIB, 4 * GIB);
        Self {
            cpus: host.cpus.clamp(1, MAX_DEFAULT_CPUS),
            memory_bytes: memory - memory % MIB,
            disk_bytes: 64 * GIB,
            grace_seconds: 10,
            user_namespaces: false,
        }
    }

    /// The grace as a duration.
    #[must_use]
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.grace_seconds)
    }

    /// What the guest is told at its boot, as JSON.
    ///
    /// # Errors
    /// Never, with what there is now.
    pub fn for_guest(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&ForGuest { user_namespaces: self.user_namespaces })
    }

    /// Checks every value.
    ///
    /// # Errors
    /// [`SettingsError::Range`] for the first one that is out of range.
    pub fn validate(&self, host: HostResources) -> Result<(), SettingsError> {
        let range = |name, value: u64, holds: bool, rule: String| {
            if holds { Ok(()) } else { Err(SettingsError::Range { name, value, rule }) }
        };
        let (cpus, memory, disk) = (u64::from(self.cpus), self.memory_bytes, self.disk_bytes);
        let host_cpus = u64::from(host.cpus.max(1));
        range("cpus", cpus, (1..=host_cpus).contains(&cpus), format!("between 1 and {host_cpus}, what this host has"))?;
        let most = host.memory_bytes.max(MIN_MEMORY_BYTES);
        let fits = (MIN_MEMORY_BYTES..=most).contains(&memory) && memory.is_multiple_of(MIB);
        range("memory_bytes", memory, fits, format!("a multiple of 1 MiB between {MIN_MEMORY_BYTES} and {most}"))?;
        let fits = (MIN_DISK_BYTES..=MAX_DISK_BYTES).contains(&disk) && disk.is_multiple_of(MIB);
        range("disk_bytes", disk, fits, format!("a multiple of 1 MiB between {MIN_DISK_BYTES} and {MAX_DISK_BYTES}"))?;
        let fits = self.grace_seconds <= MAX_GRACE_SECONDS;
        range("grace_seconds", self.grace_seconds, fits, format!("at most {MAX_GRACE_SECONDS}"))
    }

    /// Reads the file; without one, the defaults.
    ///
    /// # Errors
    /// If the file cannot be read or understood, or a value is out of range.
    pub fn load(path: &Path, host: HostResources) -> Result<Self, SettingsError> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => b"{}".to_vec(),
            Err(source) => return Err(SettingsError::Read { path: path.to_owned(), source }),
        };
        let stored: Stored =
            serde_json::from_slice(&text).map_err(|source| SettingsError::Parse { path: path.to_owned(), source })?;
        let defaults = Self::defaults(host);
        let settings = Self {
            cpus: stored.cpus.unwrap_or(defaults.cpus),
            memory_bytes: stored.memory_bytes.unwrap_or(defaults.memory_bytes),
            disk_bytes: stored.disk_bytes.unwrap_or(defaults.disk_bytes),
            grace_seconds: stored.grace_seconds.unwrap_or(defaults.grace_seconds),
            user_namespaces: stored.user_namespaces.unwrap_or(defaults.user_namespaces),
        };
        settings.validate(host)?;
        Ok(settings)
    }

    /// Replaces the file as a whole.
    ///
    /// # Errors
    /// If a value is out of range or the file cannot be written; the old file then stays.
    pub fn save(&self, path: &Path, host: HostResources) -> Result<(), SettingsError> {
        self.validate(host)?;
        let failed = |source| SettingsError::Write { path: path.to_owned(), source };
        let mut text = serde_json::to_vec_pretty(self).map_err(|e| failed(e.into()))?;
        text.push(b'\n');
        crate::prepare::replace(path, |file| file.write_all(&text)).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: HostResources = HostResources { cpus: 12, memory_bytes: 16 * GIB };

    #[test]
    fn defaults_are_half_the_memory_within_bounds() {
        let of = |memory_bytes| MachineSettings::defaults(HostResources { cpus: 2, memory_bytes }).memory_bytes;
        assert_eq!([of(GIB), of(3 * GIB), of(64 * GIB)], [GIB, 3 * GIB / 2, 4 * GIB]);
        assert_eq!(MachineSettings::defaults(HOST).cpus, 8);
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("machine.json");
        assert_eq!(MachineSettings::load(&path, HOST).unwrap(), MachineSettings::defaults(HOST));
        let settings = MachineSettings { cpus: 3, user_namespaces: true, ..MachineSettings::defaults(HOST) };
        settings.save(&path, HOST).unwrap();
        assert_eq!(MachineSettings::load(&path, HOST).unwrap(), settings);
        assert_eq!(settings.for_guest().unwrap(), br#"{"user_namespaces":true}"#);
    }

    #[test]
    fn a_value_out_of_range_is_named_and_the_old_file_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("machine.json");
        let good = MachineSettings::defaults(HOST);
        good.save(&path, HOST).unwrap();
        let bad = MachineSettings { cpus: 13, ..MachineSettings::defaults(HOST) };
        let error = bad.save(&path, HOST).unwrap_err();
        assert_eq!(error.to_string(), "cpus is 13, but must be between 1 and 12, what this host has");
        assert_eq!(MachineSettings::load(&path, HOST).unwrap(), good);
    }

    #[test]
    fn a_typo_in_the_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("machine.json");
        std::fs::write(&path, r#"{"cpu": 2}"#).unwrap();
        assert!(matches!(MachineSettings::load(&path, HOST), Err(SettingsError::Parse { .. })));
    }
}
