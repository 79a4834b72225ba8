//! `GET /containers/{id}/changes`: `docker diff`.

use cove_proto::v1::{self, FileChangeKind};
use http::StatusCode;
use serde_json::{Value, json};

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;

/// Lists what differs from the image. Without a difference it is null, as Go has it.
pub(in crate::routes) async fn changes(call: Call) -> Result<Reply, Error> {
    let request = v1::ListFileChangesRequest { container: call.name() };
    let changes = call.files().list_file_changes(request).await?.into_inner().changes;
    let shown = changes.iter().map(|change| {
        let kind = match change.kind() {
            FileChangeKind::Unspecified | FileChangeKind::Modified => 0,
            FileChangeKind::Added => 1,
            FileChangeKind::Deleted => 2,
        };
        json!({"Path": change.path, "Kind": kind})
    });
    let shown: Vec<Value> = shown.collect();
    Ok(Reply::json(StatusCode::OK, &if shown.is_empty() { Value::Null } else { json!(shown) }))
}
