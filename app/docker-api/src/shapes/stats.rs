//! What a container uses, as dockerd says it on a host with cgroup v2.

use cove_proto::v1::{CpuStats, GetContainerStatsResponse, IoStats, MemoryStats, NetworkStats};
use serde_json::{Map, Value, json};

use crate::timestamps;

/// No earlier look.
pub(crate) const NEVER: Option<&GetContainerStatsResponse> = None;

/// The numbers of memory.stat that dockerd passes on; the kernel has more.
const MEMORY_DETAILS: [&str; 33] = [
    "active_anon",
    "active_file",
    "anon",
    "anon_thp",
    "file",
    "file_dirty",
    "file_mapped",
    "file_writeback",
    "inactive_anon",
    "inactive_file",
    "kernel_stack",
    "pgactivate",
    "pgdeactivate",
    "pgfault",
    "pglazyfree",
    "pglazyfreed",
    "pgmajfault",
    "pgrefill",
    "pgscan",
    "pgsteal",
    "shmem",
    "slab",
    "slab_reclaimable",
    "slab_unreclaimable",
    "sock",
    "thp_collapse_alloc",
    "thp_fault_alloc",
    "unevictable",
    "workingset_activate",
    "workingset_nodereclaim",
    "workingset_refault",
    "workingset_refault_anon",
    "workingset_refault_file",
];

/// A look, and the one before it.
pub(crate) fn shape(now: &GetContainerStatsResponse, before: Option<&GetContainerStatsResponse>) -> Value {
    let mut shape = json!({
        "name": format!("/{}", now.name),
        "id": now.id,
        "read": timestamps::rfc3339(now.time.as_ref()),
        "preread": timestamps::rfc3339(before.and_then(|before| before.time.as_ref())),
        "pids_stats": counted(&[("current", now.pids), ("limit", now.pids_limit)]),
        "blkio_stats": blocks(&now.io),
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": cpu(now.cpu.as_ref()),
        "precpu_stats": cpu(before.and_then(|before| before.cpu.as_ref())),
        "memory_stats": memory(now.memory.as_ref()),
    });
    if !now.networks.is_empty() {
        let mut names: Vec<_> = now.networks.iter().collect();
        names.sort_by_key(|(name, _)| name.as_str());
        let networks: Map<_, _> = names.into_iter().map(|(name, stats)| (name.clone(), network(stats))).collect();
        shape["networks"] = Value::Object(networks);
    }
    shape
}

/// Numbers that are left out when they are 0, as Go's omitempty does.
fn counted(numbers: &[(&str, u64)]) -> Value {
    let known = numbers.iter().filter(|(_, number)| *number != 0);
    Value::Object(known.map(|(name, number)| ((*name).to_owned(), json!(number))).collect())
}

fn cpu(cpu: Option<&CpuStats>) -> Value {
    let cpu = cpu.copied().unwrap_or_default();
    let mut shape = json!({
        "cpu_usage": {
            "total_usage": cpu.usage_nanos,
            "usage_in_kernelmode": cpu.system_nanos,
            "usage_in_usermode": cpu.user_nanos,
        },
    });
    if cpu.guest_nanos != 0 {
        shape["system_cpu_usage"] = json!(cpu.guest_nanos);
        shape["online_cpus"] = json!(cpu.online_cpus);
    }
    shape["throttling_data"] = json!({
        "periods": cpu.periods,
        "throttled_periods": cpu.throttled_periods,
        "throttled_time": cpu.throttled_nanos,
    });
    shape
}

fn memory(memory: Option<&MemoryStats>) -> Value {
    let Some(memory) = memory else { return json!({}) };
    let mut shape = counted(&[("usage", memory.usage_bytes)]);
    let details =
        MEMORY_DETAILS.iter().filter_map(|name| Some(((*name).to_owned(), json!(memory.details.get(*name)?))));
    shape["stats"] = Value::Object(details.collect());
    if memory.failures != 0 {
        shape["failcnt"] = json!(memory.failures);
    }
    shape["limit"] = json!(memory.limit_bytes);
    shape
}

/// With cgroup v2 only bytes are told; the other lists are of version 1.
fn blocks(devices: &[IoStats]) -> Value {
    let entry = |device: &IoStats, op: &str, value: u64| json!({"major": device.major, "minor": device.minor, "op": op, "value": value});
    let bytes: Vec<_> = devices
        .iter()
        .flat_map(|device| [entry(device, "read", device.read_bytes), entry(device, "write", device.written_bytes)])
        .collect();
    json!({
        "io_service_bytes_recursive": super::list_or_null(&bytes),
        "io_serviced_recursive": null,
        "io_queue_recursive": null,
        "io_service_time_recursive": null,
        "io_wait_time_recursive": null,
        "io_merged_recursive": null,
        "io_time_recursive": null,
        "sectors_recursive": null,
    })
}

fn network(stats: &NetworkStats) -> Value {
    json!({
        "rx_bytes": stats.received_bytes,
        "rx_packets": stats.received_packets,
        "rx_errors": stats.receive_errors,
        "rx_dropped": stats.receive_dropped,
        "tx_bytes": stats.sent_bytes,
        "tx_packets": stats.sent_packets,
        "tx_errors": stats.send_errors,
        "tx_dropped": stats.send_dropped,
    })
}
