//! `GET /images/{name}/json`.

use cove_proto::v1;
use http::StatusCode;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::routes::images::refuse_platform;
use crate::shapes::image;

/// Says all about one image.
pub(in crate::routes) async fn inspect(call: Call) -> Result<Reply, Error> {
    refuse_platform(&call)?;
    Ok(Reply::json(StatusCode::OK, &image::shape(&get(&call).await?)))
}

/// Gets the image that the path names.
pub(super) async fn get(call: &Call) -> Result<v1::Image, Error> {
    let request = v1::GetImageRequest { image: call.name() };
    Ok(call.images().get_image(request).await?.into_inner().image.unwrap_or_default())
}
