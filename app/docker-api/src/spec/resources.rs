//! What a container may use.

use cove_proto::v1;

use crate::spec::body::{HostConfig, IoDevice, Ulimit};

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
        cpuset_mems: host.cpuset_mems.clone().unwrap_or_default(),
        // Negative is how clients say nothing.
        memory_swappiness: host.memory_swappiness.and_then(|percent| u32::try_from(percent).ok()),
        io_weight: host.blkio_weight.unwrap_or(0),
        io_device_weights: io_devices(host.blkio_weight_device.as_deref()),
        io_read_bytes_per_second: io_devices(host.blkio_device_read_bps.as_deref()),
        io_write_bytes_per_second: io_devices(host.blkio_device_write_bps.as_deref()),
        io_reads_per_second: io_devices(host.blkio_device_read_iops.as_deref()),
        io_writes_per_second: io_devices(host.blkio_device_write_iops.as_deref()),
    }
}

fn io_devices(devices: Option<&[IoDevice]>) -> Vec<v1::IoDeviceLimit> {
    let one = |device: &IoDevice| v1::IoDeviceLimit { path: device.path.clone(), limit: device.rate };
    devices.unwrap_or_default().iter().map(one).collect()
}

/// Docker's limits of processes as the engine's.
pub(super) fn ulimits(ulimits: &[Ulimit]) -> Vec<v1::Ulimit> {
    ulimits.iter().map(|limit| v1::Ulimit { name: limit.name.clone(), soft: limit.soft, hard: limit.hard }).collect()
}
