//! What the guest says of itself.

use cove_proto::v1::GetGuestResponse;
use serde::Serialize;

/// `Guest` of bridge.ts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Guest {
    agent_version: String,
    kernel_release: String,
    arch: String,
    cpus: u32,
    memory_bytes: u64,
    memory_available_bytes: u64,
    disk_bytes: u64,
    disk_free_bytes: u64,
    containers: Counts,
    images: u32,
    agent_pid: u32,
    agent_resident_bytes: u64,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Counts {
    stopped: u32,
    running: u32,
    paused: u32,
}

impl From<GetGuestResponse> for Guest {
    fn from(guest: GetGuestResponse) -> Self {
        let counts = guest.containers.unwrap_or_default();
        Self {
            agent_version: guest.agent_version,
            kernel_release: guest.kernel_release,
            arch: guest.arch,
            cpus: guest.cpus,
            memory_bytes: guest.memory_bytes,
            memory_available_bytes: guest.memory_available_bytes,
            disk_bytes: guest.disk_bytes,
            disk_free_bytes: guest.disk_free_bytes,
            containers: Counts { stopped: counts.stopped, running: counts.running, paused: counts.paused },
            images: guest.images,
            agent_pid: guest.agent_pid,
            agent_resident_bytes: guest.agent_resident_bytes,
            warnings: guest.warnings,
        }
    }
}
