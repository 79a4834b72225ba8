//! `DELETE /images/{name}`.

use cove_proto::v1::{self, removed_image::What};
use http::StatusCode;
use serde_json::{Value, json};

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::routes::images::refuse_platform;

/// Takes a reference away, and the image with its last one. `noprune` spares untagged parents, which no image has here.
pub(in crate::routes) async fn remove(call: Call) -> Result<Reply, Error> {
    refuse_platform(&call)?;
    let request = v1::RemoveImageRequest {
        image: call.name(),
        force: call.query.flag("force"),
        keep_parents: call.query.flag("noprune"),
    };
    let removed = call.images().remove_image(request).await?.into_inner().removed;
    Ok(Reply::json(StatusCode::OK, &Value::Array(steps(removed))))
}

/// The steps of a removal.
pub(super) fn steps(removed: Vec<v1::RemovedImage>) -> Vec<Value> {
    let steps = removed.into_iter().filter_map(|step| step.what).map(|what| match what {
        What::Untagged(reference) => json!({"Untagged": reference}),
        What::Deleted(digest) => json!({"Deleted": digest}),
    });
    steps.collect()
}
