//! `GET /images/{name}/history`.

use http::StatusCode;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::routes::images::{inspect, refuse_platform};
use crate::shapes::image_history;

/// Tells how an image was made.
pub(in crate::routes) async fn history(call: Call) -> Result<Reply, Error> {
    refuse_platform(&call)?;
    let image = inspect::get(&call).await?;
    Ok(Reply::json(StatusCode::OK, &image_history::shape(&image)))
}
