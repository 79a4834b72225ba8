//! Devices that a container gets, and what dockerd refuses for want of a driver.

use cove_proto::v1;
use serde_json::Value;

use crate::error::Error;
use crate::spec::body::DeviceMapping;

/// Docker's devices as the engine's.
pub(super) fn devices(devices: Vec<DeviceMapping>) -> Vec<v1::DeviceMapping> {
    let one = |device: DeviceMapping| v1::DeviceMapping {
        source: device.path_on_host,
        target: device.path_in_container,
        permissions: device.cgroup_permissions,
    };
    devices.into_iter().map(one).collect()
}

/// No driver gives out devices (`--gpus`): the machine has none.
pub(super) fn check_requests(requests: &Value) -> Result<(), Error> {
    let Some(request) = requests.as_array().and_then(|requests| requests.first()) else { return Ok(()) };
    let driver = request["Driver"].as_str().unwrap_or_default();
    Err(Error::Internal(format!(
        "could not select device driver {driver:?} with capabilities: {}",
        go_list(&request["Capabilities"])
    )))
}

/// Storage that is limited in size needs a file system with project quotas, which the data disk is not.
pub(super) fn check_storage(options: &Value) -> Result<(), Error> {
    match options.as_object().and_then(|options| options.keys().next()) {
        None => Ok(()),
        Some(_) => Err(Error::Internal(
            "--storage-opt is supported only for overlay over xfs with 'pquota' mount option".to_owned(),
        )),
    }
}

/// A list as Go prints it: `[[gpu]]`.
fn go_list(value: &Value) -> String {
    match value {
        Value::Array(list) => format!("[{}]", list.iter().map(go_list).collect::<Vec<_>>().join(" ")),
        Value::String(text) => text.clone(),
        Value::Null => "[]".to_owned(),
        other => other.to_string(),
    }
}
