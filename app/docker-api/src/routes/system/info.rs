//! `GET /info`: the guest as a whole. Boots the machine if need be: most of it only the guest can say.

use cove_proto::v1;
use http::StatusCode;
use serde_json::{Value, json};

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::shapes::list_or_null;
use crate::timestamps;

/// Answers with what `docker info` prints.
pub(in crate::routes) async fn get(call: Call) -> Result<Reply, Error> {
    let guest = call.guest().get_guest(v1::GetGuestRequest {}).await?.into_inner();
    let machine = call.machine().get_machine(v1::GetMachineRequest {}).await?.into_inner();
    let registries = call.registry().get_registry_settings(v1::GetRegistrySettingsRequest {}).await?.into_inner();
    let mut info = shape(&guest, &call.shared.host.daemon_version);
    info["RegistryConfig"] = registry_config(&registries.settings.unwrap_or_default());
    let warnings = machine.status.unwrap_or_default().warnings.into_iter().chain(guest.warnings);
    let warnings: Vec<_> = warnings.map(|warning| format!("WARNING: {warning}")).collect();
    info["Warnings"] = if warnings.is_empty() { Value::Null } else { json!(warnings) };
    Ok(Reply::json(StatusCode::OK, &info))
}

fn shape(guest: &v1::GetGuestResponse, version: &str) -> Value {
    let counts = guest.containers.unwrap_or_default();
    let mut info = json!({
        "ID": guest.engine_id,
        "Containers": counts.running + counts.paused + counts.stopped,
        "ContainersRunning": counts.running,
        "ContainersPaused": counts.paused,
        "ContainersStopped": counts.stopped,
        "Images": guest.images,
        "Driver": "overlay2",
        "DriverStatus": [["Backing Filesystem", "extfs"], ["Supports d_type", "true"]],
        "Plugins": {"Volume": ["local"], "Network": ["bridge", "host", "null"], "Authorization": null, "Log": ["json-file", "local"]},
        "MemoryLimit": true,
        "SwapLimit": true,
        "CpuCfsPeriod": true,
        "CpuCfsQuota": true,
        "CPUShares": true,
        "CPUSet": true,
        "PidsLimit": true,
        "IPv4Forwarding": true,
        "Debug": false,
        "NFd": 0,
        "OomKillDisable": false,
        "NGoroutines": 0,
        "SystemTime": timestamps::rfc3339(guest.now.as_ref()),
        "LoggingDriver": "json-file",
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": "2",
        "NEventsListener": 0,
    });
    merge(&mut info, platform(guest));
    merge(&mut info, runtime(guest, version));
    info
}

fn platform(guest: &v1::GetGuestResponse) -> Value {
    json!({
        "KernelVersion": guest.kernel_release,
        "OperatingSystem": format!("Cove (agent {})", guest.agent_version),
        "OSVersion": guest.agent_version,
        "OSType": "linux",
        "Architecture": machine_word(&guest.arch),
        "IndexServerAddress": "https://index.docker.io/v1/",
        // Filled in by the caller, in this place.
        "RegistryConfig": null,
        "NCPU": guest.cpus,
        "MemTotal": guest.memory_bytes,
        "GenericResources": null,
        "DockerRootDir": "/var/lib/cove",
        "HttpProxy": "",
        "HttpsProxy": "",
        "NoProxy": "",
        "Name": "cove",
        "Labels": [],
        "ExperimentalBuild": false,
    })
}

/// How registries are asked, as dockerd shows it: networks apart from hosts, and the loopback network always among them.
fn registry_config(settings: &v1::RegistrySettings) -> Value {
    let (networks, hosts): (Vec<&String>, Vec<&String>) =
        settings.insecure.iter().partition(|entry| entry.contains('/'));
    let loopback = ["::1/128", "127.0.0.0/8"].into_iter();
    let networks: Vec<&str> = loopback.chain(networks.into_iter().map(String::as_str)).collect();
    // dockerd writes the addresses of mirrors with a slash at their end.
    let mirrors: Vec<String> =
        settings.mirrors.iter().map(|mirror| format!("{}/", mirror.trim_end_matches('/'))).collect();
    let index = |name: &str, is_official: bool, mirrors: &[String]| json!({"Mirrors": mirrors, "Name": name, "Official": is_official, "Secure": is_official});
    let mut indexes = serde_json::Map::new();
    for host in hosts {
        indexes.insert(host.clone(), index(host, false, &[]));
    }
    indexes.insert("docker.io".to_owned(), index("docker.io", true, &mirrors));
    json!({
        "IndexConfigs": indexes,
        "InsecureRegistryCIDRs": networks,
        "Mirrors": list_or_null(&mirrors),
    })
}

fn runtime(guest: &v1::GetGuestResponse, version: &str) -> Value {
    json!({
        "ServerVersion": version,
        "Runtimes": {"cove": {"path": "cove-guest"}},
        "DefaultRuntime": "cove",
        "Swarm": {
            "NodeID": "",
            "NodeAddr": "",
            "LocalNodeState": "inactive",
            "ControlAvailable": false,
            "Error": "",
            "RemoteManagers": null,
        },
        // The agent may be replaced while containers run.
        "LiveRestoreEnabled": true,
        "Isolation": "",
        "InitBinary": "",
        "ContainerdCommit": {"ID": ""},
        "RuncCommit": {"ID": ""},
        "InitCommit": {"ID": ""},
        "SecurityOptions": security_options(guest),
        "CDISpecDirs": null,
    })
}

fn security_options(guest: &v1::GetGuestResponse) -> Value {
    let mut options = vec!["name=seccomp,profile=builtin", "name=cgroupns"];
    if guest.user_namespaces {
        // In dockerd's order.
        options.insert(1, "name=userns");
    }
    json!(options)
}

/// `uname -m` for Go's word.
fn machine_word(arch: &str) -> &str {
    match arch {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        other => other,
    }
}

/// Appends the members of one object to another.
fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}
