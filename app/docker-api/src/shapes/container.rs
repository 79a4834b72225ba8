//! An inspected container.

use cove_proto::v1::Container;
use serde_json::{Map, Value, json};

use crate::shapes::{container_config, container_state, host_config, list_or_null, mounts, network_settings};
use crate::timestamps;

/// All about a container.
pub(crate) fn shape(container: &Container) -> Value {
    let spec = container.spec.clone().unwrap_or_default();
    let state = container.state.clone().unwrap_or_default();
    let files = container.files.clone().unwrap_or_default();
    let mut shape = Map::new();
    let mut set = |key: &str, value: Value| {
        shape.insert(key.to_owned(), value);
    };
    set("Id", json!(container.id));
    set("Created", json!(timestamps::rfc3339(container.created_at.as_ref())));
    set("Path", json!(container.path));
    set("Args", json!(container.args));
    set("State", container_state::shape(&state));
    set("Image", json!(container.image_id));
    set("ResolvConfPath", json!(files.resolv_conf));
    set("HostnamePath", json!(files.hostname));
    set("HostsPath", json!(files.hosts));
    // dockerd names the file of json-file alone: those of other drivers are nobody's to read.
    let log = if host_config::log_driver(&spec) == "json-file" { files.log.as_str() } else { "" };
    set("LogPath", json!(log));
    set("Name", json!(format!("/{}", container.name)));
    set("RestartCount", json!(container.restart_count));
    set("Driver", json!("overlay2"));
    set("Platform", json!("linux"));
    set("MountLabel", json!(""));
    set("ProcessLabel", json!(""));
    set("AppArmorProfile", json!(""));
    set("ExecIDs", list_or_null(&container.exec_ids));
    set("HostConfig", host_config::shape(&spec, &container.name));
    set("GraphDriver", json!({"Data": null, "Name": "overlay2"}));
    if let Some(bytes) = container.writable_bytes {
        set("SizeRw", json!(bytes));
    }
    if let Some(bytes) = container.rootfs_bytes {
        set("SizeRootFs", json!(bytes));
    }
    set("Mounts", mounts::shape(container));
    set("Config", container_config::shape(container, &spec));
    set("NetworkSettings", network_settings::shape(container));
    Value::Object(shape)
}
