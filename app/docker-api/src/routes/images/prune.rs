//! `POST /images/prune`.

use cove_proto::v1;
use http::StatusCode;
use serde_json::json;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::routes::images::remove;
use crate::shapes::list_or_null;

/// Removes the images that nobody needs.
pub(in crate::routes) async fn prune(call: Call) -> Result<Reply, Error> {
    let request = v1::PruneImagesRequest { filters: call.query.filters()? };
    let pruned = call.images().prune_images(request).await?.into_inner();
    let report = json!({
        "ImagesDeleted": list_or_null(&remove::steps(pruned.removed)),
        "SpaceReclaimed": pruned.freed_bytes,
    });
    Ok(Reply::json(StatusCode::OK, &report))
}
