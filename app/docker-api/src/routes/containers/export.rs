//! `GET /containers/{id}/export`.

use bytes::Bytes;
use cove_proto::v1;
use futures::StreamExt as _;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;

/// Sends the tar of a container's own files.
pub(in crate::routes) async fn export(call: Call) -> Result<Reply, Error> {
    let request = v1::ExportContainerRequest { container: call.name() };
    let mut tar = call.files().export_container(request).await?.into_inner();
    // As long as nothing was sent, an error is still an answer.
    let first = tar.message().await?;
    let rest = tar.map(|piece| piece.map(|piece| Bytes::from(piece.data)));
    let first = futures::stream::iter(first.map(|piece| Ok(Bytes::from(piece.data))));
    Ok(Reply::stream("application/octet-stream", first.chain(rest)))
}
