//! The `HostConfig` of an inspected container. What the engine has a default for, it has filled in itself, so that what is
//! shown is what holds; what this version refuses at create has its default here.

use cove_proto::v1::{ContainerSpec, DeviceMapping, IoDeviceLimit, SeccompProfile, Security, StringList};
use serde_json::{Map, Value, json};

use crate::{
    shapes::{life, list_or_null, mounts, network_settings, ports},
    spec::{client_data, labels},
};

/// What the container may use and do.
pub(super) fn shape(spec: &ContainerSpec, name: &str) -> Value {
    let security = spec.security.clone().unwrap_or_default();
    let mut host = json!({
        "Binds": kept(spec, client_data::BINDS),
        "ContainerIDFile": "",
        "LogConfig": {"Type": log_driver(spec), "Config": log_options(spec)},
        "NetworkMode": network_settings::mode(spec),
        "PortBindings": ports::bindings(spec),
        "RestartPolicy": life::restart_policy(spec.restart_policy.as_ref()),
        "AutoRemove": spec.auto_remove,
        "VolumeDriver": volume_driver(spec),
        "VolumesFrom": list_or_null(&spec.volumes_from),
        "ConsoleSize": spec.terminal.map_or([0, 0], |size| [size.rows, size.columns]),
        "CapAdd": capabilities(&security.cap_add),
        "CapDrop": capabilities(&security.cap_drop),
        "CgroupnsMode": or_private(&spec.cgroupns_mode),
        "Dns": spec.dns_servers,
        "DnsOptions": spec.dns_options,
        "DnsSearch": spec.dns_search,
        "ExtraHosts": list_or_null(&spec.extra_hosts),
        "GroupAdd": list_or_null(&spec.group_add),
        "IpcMode": or_private(&spec.ipc_mode),
        "Cgroup": "",
        "Links": links(spec, name),
        "OomScoreAdj": spec.resources.as_ref().map_or(0, |resources| resources.oom_score_adj),
        "PidMode": spec.pid_mode,
        "Privileged": security.privileged,
        "PublishAllPorts": spec.publish_all_ports,
        "ReadonlyRootfs": security.read_only_rootfs,
        "SecurityOpt": list_or_null(&security_options(spec, &security)),
        "UTSMode": spec.uts_mode,
        "UsernsMode": user_namespace_mode(spec),
        "ShmSize": spec.shm_bytes,
        "Runtime": "cove",
        "Isolation": mounts::said::<String>(spec, client_data::ISOLATION).unwrap_or_default(),
    });
    append(&mut host, resources(spec));
    append(&mut host, mounts_said(spec));
    append(
        &mut host,
        json!({
            "MaskedPaths": paths(security.masked_paths.as_ref()),
            "ReadonlyPaths": paths(security.read_only_paths.as_ref()),
        }),
    );
    append(&mut host, optional(spec));
    host
}

/// As dockerd writes them: "/db:/web/sql".
fn links(spec: &ContainerSpec, name: &str) -> Value {
    let written = |link: &String| {
        let (target, alias) = link.split_once(':').unwrap_or((link, link));
        format!("/{target}:/{name}/{alias}")
    };
    list_or_null(&spec.links.iter().map(written).collect::<Vec<_>>())
}

/// What the creating client said of it; null when it said nothing.
fn kept(spec: &ContainerSpec, key: &str) -> Value {
    mounts::said(spec, key).unwrap_or(Value::Null)
}

fn volume_driver(spec: &ContainerSpec) -> String {
    mounts::said(spec, client_data::VOLUME_DRIVER).unwrap_or_default()
}

/// Members that are there only when they were said.
fn mounts_said(spec: &ContainerSpec) -> Value {
    let said = [("Tmpfs", client_data::TMPFS), ("Mounts", client_data::MOUNTS)];
    said.into_iter().filter_map(|(member, key)| Some((member.to_owned(), mounts::said::<Value>(spec, key)?))).collect()
}

/// The logging driver that holds.
pub(super) fn log_driver(spec: &ContainerSpec) -> &str {
    let driver = spec.log_config.as_ref().map_or("", |config| config.driver.as_str());
    if driver.is_empty() { "json-file" } else { driver }
}

/// Its options, in an order that stays.
fn log_options(spec: &ContainerSpec) -> Value {
    let options: std::collections::BTreeMap<_, _> = spec.log_config.iter().flat_map(|config| &config.options).collect();
    json!(options)
}

fn resources(spec: &ContainerSpec) -> Value {
    let resources = spec.resources.clone().unwrap_or_default();
    // dockerd fills in the swap that a container gets when only its memory is limited.
    let swap = match (resources.memory_bytes, resources.memory_swap_bytes) {
        (memory @ 1.., 0) => memory.saturating_mul(2),
        (_, swap) => swap,
    };
    json!({
        "CpuShares": resources.cpu_shares,
        "Memory": resources.memory_bytes,
        "NanoCpus": resources.nano_cpus,
        "CgroupParent": spec.cgroup_parent,
        "BlkioWeight": resources.io_weight,
        "BlkioWeightDevice": io_devices(&resources.io_device_weights, "Weight"),
        "BlkioDeviceReadBps": io_devices(&resources.io_read_bytes_per_second, "Rate"),
        "BlkioDeviceWriteBps": io_devices(&resources.io_write_bytes_per_second, "Rate"),
        "BlkioDeviceReadIOps": io_devices(&resources.io_reads_per_second, "Rate"),
        "BlkioDeviceWriteIOps": io_devices(&resources.io_writes_per_second, "Rate"),
        "CpuPeriod": resources.cpu_period_micros,
        "CpuQuota": resources.cpu_quota_micros,
        "CpuRealtimePeriod": 0,
        "CpuRealtimeRuntime": 0,
        "CpusetCpus": resources.cpuset_cpus,
        "CpusetMems": resources.cpuset_mems,
        "Devices": devices(spec),
        "DeviceCgroupRules": list_or_null(&spec.device_cgroup_rules),
        "DeviceRequests": null,
        "MemoryReservation": resources.memory_reservation_bytes,
        "MemorySwap": swap,
        "MemorySwappiness": null,
        "OomKillDisable": false,
        "PidsLimit": if resources.pids_limit == 0 { Value::Null } else { json!(resources.pids_limit) },
        "Ulimits": ulimits(spec),
        "CpuCount": 0,
        "CpuPercent": 0,
        "IOMaximumIOps": 0,
        "IOMaximumBandwidth": 0,
    })
}

fn ulimits(spec: &ContainerSpec) -> Vec<Value> {
    spec.ulimits.iter().map(|limit| json!({"Name": limit.name, "Hard": limit.hard, "Soft": limit.soft})).collect()
}

/// dockerd writes capabilities in the kernel's way.
fn capabilities(names: &[String]) -> Value {
    let names: Vec<_> = names
        .iter()
        .map(|name| name.to_ascii_uppercase())
        .map(|name| if name == "ALL" || name.starts_with("CAP_") { name } else { format!("CAP_{name}") })
        .collect();
    list_or_null(&names)
}

/// What was said; of a container of another client, what it comes to. dockerd adds that there is no label where there can be
/// none.
fn security_options(spec: &ContainerSpec, security: &Security) -> Vec<String> {
    let mut options = security.options.clone();
    if options.is_empty() {
        let said = [
            (security.no_new_privileges, "no-new-privileges"),
            (security.seccomp() == SeccompProfile::Unconfined && !security.privileged, "seccomp=unconfined"),
        ];
        options.extend(said.into_iter().filter(|(holds, _)| *holds).map(|(_, option)| option.to_owned()));
    }
    let unlabelled = spec.ipc_mode == "host" || spec.pid_mode == "host" || security.privileged;
    if unlabelled && !options.iter().any(|option| option.split('=').next() == Some("label")) {
        options.push("label=disable".to_owned());
    }
    options
}

fn or_private(mode: &str) -> &str {
    if mode.is_empty() { "private" } else { mode }
}

/// dockerd has no word for a container's own: it is what all have, where any has one.
fn user_namespace_mode(spec: &ContainerSpec) -> &str {
    if spec.userns_mode == labels::PRIVATE { "" } else { &spec.userns_mode }
}

fn io_devices(devices: &[IoDeviceLimit], limit: &str) -> Vec<Value> {
    devices.iter().map(|device| json!({"Path": device.path, limit: device.limit})).collect()
}

fn devices(spec: &ContainerSpec) -> Vec<Value> {
    let one = |device: &DeviceMapping| {
        json!({
            "PathOnHost": device.source,
            "PathInContainer": device.target,
            "CgroupPermissions": device.permissions,
        })
    };
    spec.devices.iter().map(one).collect()
}

/// What dockerd leaves out when it is not set.
fn optional(spec: &ContainerSpec) -> Value {
    let mut members = Map::new();
    if spec.init {
        members.insert("Init".to_owned(), json!(true));
    }
    if !spec.sysctls.is_empty() {
        members.insert("Sysctls".to_owned(), json!(spec.sysctls));
    }
    if !spec.annotations.is_empty() {
        members.insert("Annotations".to_owned(), json!(spec.annotations));
    }
    Value::Object(members)
}

fn paths(kept: Option<&StringList>) -> Value {
    kept.map_or(Value::Null, |paths| json!(paths.values))
}

/// Appends the members of one object to another.
fn append(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}
