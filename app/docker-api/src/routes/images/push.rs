//! `POST /images/{name}/push`.

use bytes::Bytes;
use cove_proto::v1::{self, LayerPhase, push_image_response::Event};
use futures::{StreamExt as _, stream};
use serde_json::json;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::routes::images::{lines, refuse_platform, tag};
use crate::routes::registry::{credentials, refused};
use crate::shapes::progress;

/// Sends an image to the registry that its name names; without a tag, all tags that are here.
pub(in crate::routes) async fn push(call: Call) -> Result<Reply, Error> {
    refuse_platform(&call)?;
    let wanted = call.query.get("tag");
    let request = v1::PushImageRequest {
        reference: tag::reference(&call.name(), wanted),
        all_tags: wanted.is_empty(),
        credentials: Some(credentials(&call)?),
    };
    let events = call.registry().push_image(request).await.map_err(refused)?.into_inner();
    let told = events.flat_map(|event| {
        stream::iter(match event {
            Ok(event) => told(event),
            Err(status) => vec![lines::failed(&status)],
        })
    });
    Ok(Reply::stream("application/json", told.map(Ok::<_, Error>)))
}

fn told(event: v1::PushImageResponse) -> Vec<Bytes> {
    match event.event {
        Some(Event::Begun(begun)) => {
            vec![lines::line(&json!({"status": format!("The push refers to repository [{}]", begun.repository)}))]
        }
        Some(Event::Layer(layer)) => {
            let exists = layer.phase() == LayerPhase::Exists;
            let line = progress::layer(&layer).map(|mut line| {
                if exists {
                    line["status"] = json!("Layer already exists");
                }
                lines::line(&line)
            });
            line.into_iter().collect()
        }
        Some(Event::Done(v1::PushDone { tag, digest, size_bytes })) => vec![
            lines::line(&json!({"status": format!("{tag}: digest: {digest} size: {size_bytes}")})),
            lines::line(&json!({"progressDetail": {}, "aux": {"Tag": tag, "Digest": digest, "Size": size_bytes}})),
        ],
        None => Vec::new(),
    }
}
