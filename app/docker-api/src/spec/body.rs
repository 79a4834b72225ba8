//! The part of a create request that is read. Every member may be absent or null, as Go's clients send them.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

/// One string or a list of strings: old clients send commands as one.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    /// One.
    One(String),
    /// A list.
    Many(Vec<String>),
}

impl OneOrMany {
    /// As a list.
    pub(crate) fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

impl Default for OneOrMany {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

/// Docker's `Config`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Config {
    pub(crate) image: Option<String>,
    pub(crate) entrypoint: Option<OneOrMany>,
    pub(crate) cmd: Option<OneOrMany>,
    pub(crate) env: Option<Vec<String>>,
    pub(crate) working_dir: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) hostname: Option<String>,
    pub(crate) domainname: Option<String>,
    pub(crate) tty: Option<bool>,
    pub(crate) open_stdin: Option<bool>,
    pub(crate) stdin_once: Option<bool>,
    pub(crate) attach_stdin: Option<bool>,
    pub(crate) attach_stdout: Option<bool>,
    pub(crate) attach_stderr: Option<bool>,
    pub(crate) labels: Option<HashMap<String, String>>,
    pub(crate) stop_signal: Option<String>,
    pub(crate) stop_timeout: Option<i32>,
    pub(crate) exposed_ports: Option<serde_json::Map<String, Value>>,
    pub(crate) healthcheck: Option<Healthcheck>,
}

/// Docker's `HostConfig`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct HostConfig {
    pub(crate) auto_remove: Option<bool>,
    pub(crate) restart_policy: Option<RestartPolicy>,
    pub(crate) network_mode: Option<String>,
    pub(crate) port_bindings: Option<super::ports::PortBindings>,
    pub(crate) publish_all_ports: Option<bool>,
    pub(crate) shm_size: Option<i64>,
    pub(crate) console_size: Option<[u32; 2]>,
    pub(crate) ulimits: Option<Vec<Ulimit>>,
    pub(crate) nano_cpus: Option<i64>,
    pub(crate) cpu_quota: Option<i64>,
    pub(crate) cpu_period: Option<i64>,
    pub(crate) cpu_shares: Option<i64>,
    pub(crate) cpuset_cpus: Option<String>,
    pub(crate) memory: Option<i64>,
    pub(crate) memory_swap: Option<i64>,
    pub(crate) memory_reservation: Option<i64>,
    pub(crate) pids_limit: Option<i64>,
    pub(crate) oom_score_adj: Option<i32>,
    pub(crate) oom_kill_disable: Option<bool>,
    pub(crate) log_config: Option<LogConfig>,
    pub(crate) privileged: Option<bool>,
    pub(crate) cap_add: Option<Vec<String>>,
    pub(crate) cap_drop: Option<Vec<String>>,
    pub(crate) security_opt: Option<Vec<String>>,
    pub(crate) readonly_rootfs: Option<bool>,
    pub(crate) masked_paths: Option<Vec<String>>,
    pub(crate) readonly_paths: Option<Vec<String>>,
    pub(crate) init: Option<bool>,
    pub(crate) group_add: Option<Vec<String>>,
    pub(crate) sysctls: Option<HashMap<String, String>>,
    pub(crate) annotations: Option<HashMap<String, String>>,
    pub(crate) extra_hosts: Option<Vec<String>>,
    pub(crate) dns: Option<Vec<String>>,
    pub(crate) dns_options: Option<Vec<String>>,
    pub(crate) dns_search: Option<Vec<String>>,
    pub(crate) links: Option<Vec<String>>,
    pub(crate) ipc_mode: Option<String>,
    pub(crate) pid_mode: Option<String>,
    #[serde(rename = "UTSMode")]
    pub(crate) uts_mode: Option<String>,
    pub(crate) cgroup_parent: Option<String>,
    pub(crate) cgroupns_mode: Option<String>,
    pub(crate) userns_mode: Option<String>,
    pub(crate) devices: Option<Vec<DeviceMapping>>,
    pub(crate) device_cgroup_rules: Option<Vec<String>>,
    pub(crate) cpuset_mems: Option<String>,
    pub(crate) memory_swappiness: Option<i64>,
    pub(crate) kernel_memory: Option<i64>,
    #[serde(rename = "KernelMemoryTCP")]
    pub(crate) kernel_memory_tcp: Option<i64>,
    pub(crate) blkio_weight: Option<u32>,
    pub(crate) blkio_weight_device: Option<Vec<IoDevice>>,
    pub(crate) blkio_device_read_bps: Option<Vec<IoDevice>>,
    pub(crate) blkio_device_write_bps: Option<Vec<IoDevice>>,
    #[serde(rename = "BlkioDeviceReadIOps")]
    pub(crate) blkio_device_read_iops: Option<Vec<IoDevice>>,
    #[serde(rename = "BlkioDeviceWriteIOps")]
    pub(crate) blkio_device_write_iops: Option<Vec<IoDevice>>,
}

/// Docker's `DeviceMapping`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct DeviceMapping {
    pub(crate) path_on_host: String,
    pub(crate) path_in_container: String,
    pub(crate) cgroup_permissions: String,
}

/// Docker's `WeightDevice` and `ThrottleDevice`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct IoDevice {
    pub(crate) path: String,
    #[serde(alias = "Weight")]
    pub(crate) rate: u64,
}

/// Docker's `RestartPolicy`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct RestartPolicy {
    pub(crate) name: String,
    pub(crate) maximum_retry_count: i64,
}

/// Docker's `HealthConfig`; times in nanoseconds.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Healthcheck {
    pub(crate) test: Option<Vec<String>>,
    pub(crate) interval: Option<i64>,
    pub(crate) timeout: Option<i64>,
    pub(crate) start_period: Option<i64>,
    pub(crate) start_interval: Option<i64>,
    pub(crate) retries: Option<i64>,
}

/// Docker's `LogConfig`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct LogConfig {
    #[serde(rename = "Type")]
    pub(crate) driver: Option<String>,
    #[serde(rename = "Config")]
    pub(crate) options: Option<HashMap<String, String>>,
}

/// Docker's `Ulimit`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Ulimit {
    pub(crate) name: String,
    pub(crate) soft: i64,
    pub(crate) hard: i64,
}

impl Config {
    /// Reads the members that stand beside `HostConfig`.
    pub(crate) fn deserialize_from(body: &Value) -> Result<Self, serde_json::Error> {
        Self::deserialize(body)
    }
}

impl HostConfig {
    /// Reads `HostConfig`; absent and null are all defaults.
    pub(crate) fn deserialize_from(value: &Value) -> Result<Self, serde_json::Error> {
        Ok(Option::<Self>::deserialize(value)?.unwrap_or_default())
    }
}
