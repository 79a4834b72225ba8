//! `POST /images/load`.
//!
//! The head goes out with the first image, or with the error: clients that get an answer early stop sending.

use bytes::Bytes;
use cove_proto::v1;
use futures::StreamExt as _;
use serde_json::json;

use crate::call::{Call, Upload};
use crate::error::Error;
use crate::reply::Reply;
use crate::routes::images::lines::{failed, line};
use crate::routes::images::refuse_platform;

/// Loads the images of an archive. Errors are part of the stream, as in dockerd.
pub(in crate::routes) async fn load(call: Call) -> Result<Reply, Error> {
    refuse_platform(&call)?;
    let mut images = call.images();
    let Upload { pieces, broken } = call.upload();
    let requests = pieces.map(|data| v1::LoadImagesRequest { data });
    let first = Upload::during(broken, async move {
        let mut loaded = images.load_images(requests).await?.into_inner();
        let first = loaded.message().await?;
        Ok((first, loaded))
    });
    let (first, rest) = match first.await {
        Ok(begun) => begun,
        Err(Error::Engine(status)) => {
            let line = Ok::<_, Error>(failed(&status));
            return Ok(Reply::stream("application/json", futures::stream::once(std::future::ready(line))));
        }
        Err(error) => return Err(error),
    };
    let first = futures::stream::iter(first.map(Ok));
    let lines = first
        .chain(rest)
        .map(|image| Ok::<_, Error>(image.map_or_else(|status| failed(&status), |image| loaded(&image))));
    Ok(Reply::stream("application/json", lines))
}

fn loaded(image: &v1::LoadImagesResponse) -> Bytes {
    let what = if image.untagged { "Loaded image ID" } else { "Loaded image" };
    line(&json!({"stream": format!("{what}: {}\n", image.reference)}))
}
