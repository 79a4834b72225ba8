//! A volume, inspected or in a list.

use std::collections::{BTreeMap, HashMap};

use cove_proto::v1::Volume;
use serde_json::{Value, json};

use crate::timestamps;

/// All about a volume.
pub(crate) fn shape(volume: &Volume) -> Value {
    json!({
        "CreatedAt": timestamps::rfc3339_seconds(volume.created_at.as_ref()),
        "Driver": volume.driver,
        "Labels": map_or_null(&volume.labels),
        "Mountpoint": volume.mountpoint,
        "Name": volume.name,
        "Options": map_or_null(&volume.options),
        "Scope": "local",
    })
}

/// Go sorts the keys of a map, and of none says null.
fn map_or_null(map: &HashMap<String, String>) -> Value {
    let sorted: BTreeMap<_, _> = map.iter().collect();
    if sorted.is_empty() { Value::Null } else { json!(sorted) }
}
