//! `GET /images/get` and `GET /images/{name}/get`.

use bytes::Bytes;
use cove_proto::v1;
use futures::StreamExt as _;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::routes::images::refuse_platform;

/// Sends an archive of the image in the path.
pub(in crate::routes) async fn save_one(call: Call) -> Result<Reply, Error> {
    let images = vec![call.name()];
    save(&call, images).await
}

/// Sends an archive of the images in the query.
pub(in crate::routes) async fn save_named(call: Call) -> Result<Reply, Error> {
    let images = call.query.all("names");
    // dockerd's words for a name that is none; no name at all would be an archive of nothing.
    if images.is_empty() || images.iter().any(String::is_empty) {
        return Err(Error::BadRequest("invalid reference format".to_owned()));
    }
    save(&call, images).await
}

async fn save(call: &Call, images: Vec<String>) -> Result<Reply, Error> {
    refuse_platform(call)?;
    let mut archive = call.images().save_images(v1::SaveImagesRequest { images }).await?.into_inner();
    // As long as nothing was sent, an error is still an answer.
    let first = archive.message().await?;
    let rest = archive.map(|piece| piece.map(|piece| Bytes::from(piece.data)));
    let first = futures::stream::iter(first.map(|piece| Ok(Bytes::from(piece.data))));
    Ok(Reply::stream("application/x-tar", first.chain(rest)))
}
