//! How large the machine is.

use cove_proto::v1::{GetMachineResponse, GetSettingsResponse};
use serde::Serialize;

/// `Settings` of bridge.ts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    cpus: u32,
    memory_bytes: u64,
    disk_bytes: u64,
    host_cpus: u32,
    host_memory_bytes: u64,
    host_disk_free_bytes: u64,
    disk_used_bytes: u64,
    restart_needed: bool,
    /// Why the file of the settings cannot be used; these are the defaults then, and setting them mends the file.
    problem: String,
    path: String,
}

impl Settings {
    /// From what the daemon says of the settings and of the machine.
    pub(crate) fn new(settings: GetSettingsResponse, machine: GetMachineResponse) -> Self {
        let (size, limits) = (settings.settings.unwrap_or_default(), settings.limits.unwrap_or_default());
        Self {
            cpus: size.cpus,
            memory_bytes: size.memory_bytes,
            disk_bytes: size.disk_bytes,
            host_cpus: limits.max_cpus,
            host_memory_bytes: limits.max_memory_bytes,
            host_disk_free_bytes: settings.host_disk_free_bytes,
            disk_used_bytes: machine.hardware.unwrap_or_default().disk_used_bytes,
            restart_needed: settings.restart_needed,
            problem: settings.problem,
            path: settings.path,
        }
    }
}
