//! How an image was made: a row for each step, the newest first.

use cove_proto::v1::Image;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::shapes::image::configuration;
use crate::timestamps;

/// The steps. Only the newest has an id and tags; the others are steps of an image that was built elsewhere.
pub(crate) fn shape(image: &Image) -> Value {
    let steps = configuration(image)["history"].as_array().cloned().unwrap_or_default();
    let mut layers = image.layer_bytes.iter().copied();
    let rows: Vec<Value> = steps.iter().map(|step| row(step, &mut layers)).collect();
    let mut rows: Vec<Value> = if rows.is_empty() { vec![whole(image)] } else { rows.into_iter().rev().collect() };
    if let Some(newest) = rows.first_mut() {
        newest["Id"] = json!(image.id);
        newest["Tags"] = if image.tags.is_empty() { Value::Null } else { json!(image.tags) };
    }
    Value::Array(rows)
}

/// A step takes the next layer unless it made none.
fn row(step: &Value, layers: &mut impl Iterator<Item = u64>) -> Value {
    let created: Option<Timestamp> = step["created"].as_str().and_then(|time| time.parse().ok());
    let size = if step["empty_layer"] == true { 0 } else { layers.next().unwrap_or(0) };
    json!({
        "Comment": step["comment"].as_str().unwrap_or_default(),
        "Created": created.map_or(0, Timestamp::as_second),
        "CreatedBy": step["created_by"].as_str().unwrap_or_default(),
        "Id": "<missing>",
        "Size": size,
        "Tags": null,
    })
}

/// The one row of an image that does not tell.
fn whole(image: &Image) -> Value {
    json!({
        "Comment": "",
        "Created": timestamps::unix(image.created_at.as_ref()),
        "CreatedBy": "",
        "Id": "",
        "Size": image.size_bytes,
        "Tags": null,
    })
}
