//! What a container may use.

use cove_proto::v1;

use crate::spec::body::{HostConfig, Ulimit};

/// Docker's limits as the engine's. -1 pids means no limit in Docker and 0 in the engine.
pub(super) fn resources(host: &HostConfig) -> v1::Resources {
    v1::Resources {
        nano_cpus: host.nano_cpus.unwrap_or(0),
        cpu_quota_micros: host.cpu_quota.unwrap_or(0),
        cpu_period_micros: host.cpu_period.unwrap_or(0),
        cpu_shares: host.cpu_shares.unwrap_or(0),
        cpuset_cpus: host.cpuset_cpus.clone().unwrap_or_default(),
        memory_bytes: host.memory.unwrap_or(0),
        memory_swap_bytes: host.memory_swap.unwrap_or(0),
        memory_reservation_bytes: host.memory_reservation.unwrap_or(0),
        pids_limit: host.pids_limit.unwrap_or(0).max(0),
        oom_score_adj: host.oom_score_adj.unwrap_or(0),
        ..Default::default()
    }
}

/// Docker's limits of processes as the engine's.
pub(super) fn ulimits(ulimits: &[Ulimit]) -> Vec<v1::Ulimit> {
    ulimits.iter().map(|limit| v1::Ulimit { name: limit.name.clone(), soft: limit.soft, hard: limit.hard }).collect()
}
