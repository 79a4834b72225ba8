//! `GET /images/json`.

use cove_proto::v1;
use http::StatusCode;
use serde_json::Value;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::shapes::image;

/// Lists images.
pub(in crate::routes) async fn list(call: Call) -> Result<Reply, Error> {
    let request = v1::ListImagesRequest { filters: call.query.filters()? };
    let images = call.images().list_images(request).await?.into_inner().images;
    Ok(Reply::json(StatusCode::OK, &Value::Array(images.iter().map(image::summary).collect())))
}
