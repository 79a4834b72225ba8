//! An image, whole and as a row of `docker images`. What its author wrote is in its configuration.

use cove_proto::v1::Image;
use serde_json::{Map, Value, json};

use crate::timestamps;

/// Members of an image's `Config` that dockerd always writes.
const ALWAYS: [&str; 8] = ["Cmd", "Entrypoint", "Env", "Labels", "OnBuild", "User", "Volumes", "WorkingDir"];

/// Members that it writes when they are set.
const WHEN_SET: [&str; 5] = ["ArgsEscaped", "ExposedPorts", "Healthcheck", "Shell", "StopSignal"];

/// The configuration of an image. One that is no JSON cannot have been stored; it reads as empty.
pub(super) fn configuration(image: &Image) -> Value {
    serde_json::from_slice(&image.config_json).unwrap_or_default()
}

/// A row of `docker images`; its containers are counted or -1.
pub(crate) fn summary(image: &Image, counted: bool) -> Value {
    let labels = configuration(image)["config"]["Labels"].take();
    json!({
        "Containers": if counted { i64::from(image.containers) } else { -1 },
        "Created": timestamps::unix(image.created_at.as_ref()),
        "Id": image.id,
        "Labels": labels,
        "ParentId": image.parent_id,
        "RepoDigests": image.digests,
        "RepoTags": image.tags,
        "SharedSize": -1,
        "Size": image.size_bytes,
    })
}

/// Whether nothing names it and another image was made on it: a step on the way to that, which lists leave out.
pub(crate) fn is_intermediate(image: &Image, all: &[Image]) -> bool {
    image.tags.is_empty() && image.digests.is_empty() && all.iter().any(|other| other.parent_id == image.id)
}

/// All about an image.
pub(crate) fn shape(image: &Image) -> Value {
    let configuration = configuration(image);
    let text = |key: &str| configuration[key].as_str().unwrap_or_default().to_owned();
    let comment = match text("comment") {
        comment if !comment.is_empty() => comment,
        _ => last_comment(&configuration).to_owned(),
    };
    let mut shape = json!({
        "Id": image.id,
        "RepoTags": image.tags,
        "RepoDigests": image.digests,
        "Parent": image.parent_id,
        "Comment": comment,
        "Created": timestamps::rfc3339(image.created_at.as_ref()),
        "DockerVersion": text("docker_version"),
        "Author": text("author"),
        "Architecture": image.arch,
        "Os": image.os,
        "Size": image.size_bytes,
        "GraphDriver": {"Data": null, "Name": "overlay2"},
        "RootFS": {"Type": "layers", "Layers": image.layer_diff_ids},
        "Metadata": {"LastTagTime": timestamps::rfc3339(image.tagged_at.as_ref())},
        "Config": config(&configuration["config"]),
    });
    if let (false, Value::Object(members)) = (image.variant.is_empty(), &mut shape) {
        // dockerd writes it between Architecture and Os; clients read it by its name.
        members.insert("Variant".to_owned(), json!(image.variant));
    }
    shape
}

fn last_comment(configuration: &Value) -> &str {
    let last = configuration["history"].as_array().and_then(|history| history.last());
    last.and_then(|entry| entry["comment"].as_str()).unwrap_or_default()
}

fn config(config: &Value) -> Value {
    let mut members: Vec<(&str, Value)> = ALWAYS.iter().map(|key| (*key, always(key, &config[*key]))).collect();
    members.extend(WHEN_SET.iter().filter(|key| !config[**key].is_null()).map(|key| (*key, config[*key].clone())));
    members.sort_by_key(|(key, _)| *key);
    Value::Object(Map::from_iter(members.into_iter().map(|(key, value)| (key.to_owned(), value))))
}

/// Two members are strings, where absent means empty.
fn always(key: &str, value: &Value) -> Value {
    if value.is_null() && matches!(key, "User" | "WorkingDir") { json!("") } else { value.clone() }
}
