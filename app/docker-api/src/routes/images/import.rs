//! `POST /images/create?fromSrc=-`: an image of the tar of a file system.

use cove_proto::v1::{self, import_image_request::Message};
use futures::StreamExt as _;
use serde_json::json;

use crate::call::{Call, Upload};
use crate::error::{Error, unsupported};
use crate::reply::Reply;
use crate::routes::images::{lines, tag};

/// Makes an image from the body.
pub(super) async fn import(call: Call) -> Result<Reply, Error> {
    if call.query.get("fromSrc") != "-" {
        return Err(unsupported("importing from a URL"));
    }
    // dockerd's comment when the client has none.
    let message = Some(call.query.get("message")).filter(|message| !message.is_empty()).unwrap_or("Imported from -");
    let open = v1::ImportOpen {
        reference: tag::reference(call.query.get("repo"), call.query.get("tag")),
        message: message.to_owned(),
        changes: call.query.all("changes"),
        platform: call.query.get("platform").to_owned(),
    };
    let mut images = call.images();
    let Upload { pieces, broken } = call.upload();
    let first = v1::ImportImageRequest { message: Some(Message::Open(open)) };
    let data = pieces.map(|data| v1::ImportImageRequest { message: Some(Message::Data(data)) });
    let requests = futures::stream::once(std::future::ready(first)).chain(data);
    let imported = Upload::during(broken, async move { images.import_image(requests).await });
    let line = Ok::<_, Error>(lines::line(&json!({"status": imported.await?.into_inner().id})));
    Ok(Reply::stream("application/json", futures::stream::once(std::future::ready(line))))
}
