//! A row of `docker ps`.

use cove_proto::v1::{Container, ContainerSpec};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::shapes::{container_state, mounts, network_settings, ports};
use crate::timestamps;

/// A container in a list, as it is `now`. Sizes are there when they were asked for.
pub(crate) fn shape(container: &Container, now: Timestamp, sizes: bool) -> Value {
    let spec = container.spec.clone().unwrap_or_default();
    let state = container.state.clone().unwrap_or_default();
    let mut row = Map::new();
    let mut set = |key: &str, value: Value| {
        row.insert(key.to_owned(), value);
    };
    set("Id", json!(container.id));
    set("Names", json!([format!("/{}", container.name)]));
    set("Image", json!(spec.image));
    set("ImageID", json!(container.image_id));
    set("Command", json!(command(container)));
    set("Created", json!(timestamps::unix(container.created_at.as_ref())));
    set("Ports", ports::row(container));
    // Nothing written is left out, not 0.
    let size = |bytes: Option<u64>| bytes.filter(|bytes| sizes && *bytes > 0);
    if let Some(bytes) = size(container.writable_bytes) {
        set("SizeRw", json!(bytes));
    }
    if let Some(bytes) = size(container.rootfs_bytes) {
        set("SizeRootFs", json!(bytes));
    }
    set("Labels", labels(&spec));
    set("State", json!(container_state::word(&state)));
    set("Status", json!(container_state::sentence(&state, now)));
    set("HostConfig", json!({"NetworkMode": network_settings::mode(&spec)}));
    set("NetworkSettings", json!({"Networks": network_settings::row(container)}));
    set("Mounts", mounts::shape(container));
    Value::Object(row)
}

/// Labels by their names: Go sorts the keys of a map.
pub(super) fn labels(spec: &ContainerSpec) -> Value {
    let sorted: std::collections::BTreeMap<_, _> = spec.labels.iter().collect();
    json!(sorted)
}

/// The command line; arguments with spaces are quoted as dockerd does.
fn command(container: &Container) -> String {
    let quoted = |word: &String| if word.contains(' ') { format!("'{word}'") } else { word.clone() };
    let words: Vec<_> = std::iter::once(container.path.clone()).chain(container.args.iter().map(quoted)).collect();
    words.join(" ")
}
