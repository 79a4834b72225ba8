//! `GET /system/df`: what takes how much of the disk.

use cove_proto::v1;
use http::StatusCode;
use serde_json::{Value, json};

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::shapes::{container_summary, image, list_or_null, usage::Layers, volume};

/// Kinds of things, as `type` names them.
const KINDS: [&str; 4] = ["container", "image", "volume", "build-cache"];

/// Says what images, containers and volumes take; with `type` only of those kinds.
pub(in crate::routes) async fn df(call: Call) -> Result<Reply, Error> {
    let kinds = call.query.all("type");
    if let Some(unknown) = kinds.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
        return Err(Error::BadRequest(format!("unknown object type: {unknown}")));
    }
    let wanted = |kind: &str| kinds.is_empty() || kinds.iter().any(|asked| asked == kind);
    let (mut layers_bytes, mut images, mut containers, mut volumes) = (0, Value::Null, Value::Null, Value::Null);
    if wanted("image") {
        (layers_bytes, images) = of_images(&call).await?;
    }
    if wanted("container") {
        containers = of_containers(&call).await?;
    }
    if wanted("volume") {
        volumes = of_volumes(&call).await?;
    }
    let build_cache = if wanted("build-cache") { json!([]) } else { Value::Null };
    let usage = json!({
        "LayersSize": layers_bytes,
        "Images": images,
        "Containers": containers,
        "Volumes": volumes,
        "BuildCache": build_cache,
    });
    Ok(Reply::json(StatusCode::OK, &usage))
}

async fn of_images(call: &Call) -> Result<(u64, Value), Error> {
    let images = call.images().list_images(v1::ListImagesRequest::default()).await?.into_inner().images;
    let layers = Layers::of(&images);
    let rows = images.iter().filter(|shown| !image::is_intermediate(shown, &images)).map(|shown| {
        let mut row = image::summary(shown, true);
        row["SharedSize"] = json!(layers.shared_bytes(shown));
        // Here, and not in the list of images, none is null.
        row["RepoTags"] = list_or_null(&shown.tags);
        row["RepoDigests"] = list_or_null(&shown.digests);
        row
    });
    Ok((layers.bytes(), Value::Array(rows.collect())))
}

async fn of_containers(call: &Call) -> Result<Value, Error> {
    let request = v1::ListContainersRequest { all: true, sizes: true, ..Default::default() };
    let containers = call.containers().list_containers(request).await?.into_inner().containers;
    let now = jiff::Timestamp::now();
    Ok(Value::Array(containers.iter().map(|container| container_summary::shape(container, now, true)).collect()))
}

async fn of_volumes(call: &Call) -> Result<Value, Error> {
    let request = v1::ListVolumesRequest { sizes: true, ..Default::default() };
    let volumes = call.volumes().list_volumes(request).await?.into_inner().volumes;
    let rows = volumes.iter().map(|shown| {
        let mut row = volume::shape(shown);
        row["UsageData"] = json!({"RefCount": shown.containers, "Size": shown.bytes.unwrap_or_default()});
        row
    });
    Ok(Value::Array(rows.collect()))
}
