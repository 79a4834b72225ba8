//! `GET /version`: both halves and what joins them. Asks the daemon only, so that it boots nothing.

use cove_proto::v1;
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::version::ApiVersion;

/// Answers with the versions.
pub(in crate::routes) async fn get(call: Call) -> Result<Reply, Error> {
    let machine = call.machine().get_machine(v1::GetMachineRequest {}).await?.into_inner();
    Ok(Reply::json(StatusCode::OK, &shape(&call.shared.host.daemon_version, &machine)))
}

fn shape(version: &str, machine: &v1::GetMachineResponse) -> Value {
    let image = machine.image.clone().unwrap_or_default();
    let (api, min_api) = (ApiVersion::MAX.to_string(), ApiVersion::MIN.to_string());
    let engine = json!({
        "ApiVersion": api,
        "Arch": image.arch,
        "BuildTime": "",
        "Experimental": "false",
        "GitCommit": "",
        "GoVersion": "",
        "KernelVersion": image.kernel_release,
        "MinAPIVersion": min_api,
        "Os": "linux",
    });
    let mut components = vec![json!({"Name": "Engine", "Version": version, "Details": engine})];
    components.extend(halves(machine, &image));
    json!({
        "Platform": {"Name": "Cove"},
        "Components": components,
        "Version": version,
        "ApiVersion": api,
        "MinAPIVersion": min_api,
        "GitCommit": "",
        "GoVersion": "",
        "Os": "linux",
        "Arch": image.arch,
        "KernelVersion": image.kernel_release,
        "BuildTime": "",
    })
}

/// The parts between the client and the containers, from the host inwards.
fn halves(machine: &v1::GetMachineResponse, image: &v1::GuestImage) -> Vec<Value> {
    let host = machine.host.clone().unwrap_or_default();
    let hardware = machine.hardware.clone().unwrap_or_default();
    let transport = machine.transport.clone().unwrap_or_default();
    let state = machine.status.as_ref().map(|status| state_word(status.state())).unwrap_or_default();
    vec![
        component("coved", &host.daemon_version, [("Host", format!("{}/{}", host.os, host.arch))]),
        component(
            "machine",
            &hardware.hypervisor,
            [("State", state.to_owned()), ("Accelerator", hardware.accelerator), ("Transport", transport.vsock)],
        ),
        component("kernel", &image.kernel_release, [("Image", image.digest.clone())]),
        component("cove-guest", &image.agent_version, [("Arch", format!("linux/{}", image.arch))]),
    ]
}

/// Details that are not known yet are left out: the machine that would tell does not run.
fn component<const N: usize>(name: &str, version: &str, details: [(&str, String); N]) -> Value {
    let details: Map<_, _> = details
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| (key.to_owned(), Value::String(value)))
        .collect();
    json!({"Name": name, "Version": version, "Details": details})
}

fn state_word(state: v1::MachineState) -> &'static str {
    match state {
        v1::MachineState::Unspecified => "",
        v1::MachineState::Stopped => "stopped",
        v1::MachineState::Starting => "starting",
        v1::MachineState::Running => "running",
        v1::MachineState::Stopping => "stopping",
        v1::MachineState::Failed => "failed",
    }
}
