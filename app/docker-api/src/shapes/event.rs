//! An event.

use std::collections::BTreeMap;

use cove_proto::v1::WatchEventsResponse;
use serde_json::{Map, Value, json};

/// An event, with the members of before 1.22 that clients still read: `status` and `id` of containers and images, `from` of
/// containers. What is empty is left out, as Go does.
pub(crate) fn shape(event: &WatchEventsResponse) -> Value {
    let mut shape = Map::new();
    let mut set = |key: &str, value: Value| {
        shape.insert(key.to_owned(), value);
    };
    let legacy = matches!(event.r#type.as_str(), "container" | "image");
    if legacy {
        set("status", json!(event.action));
    }
    if legacy && !event.actor_id.is_empty() {
        set("id", json!(event.actor_id));
    }
    if let Some(image) = event.attributes.get("image").filter(|_| event.r#type == "container") {
        set("from", json!(image));
    }
    let sorted: BTreeMap<_, _> = event.attributes.iter().collect();
    set("Type", json!(event.r#type));
    set("Action", json!(event.action));
    set("Actor", json!({"ID": event.actor_id, "Attributes": sorted}));
    set("scope", json!("local"));
    let time = event.time.unwrap_or_default();
    set("time", json!(time.seconds));
    set("timeNano", json!(time.seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(time.nanos))));
    Value::Object(shape)
}
