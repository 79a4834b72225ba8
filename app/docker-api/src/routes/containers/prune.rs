//! `POST /containers/prune`.

use cove_proto::v1;
use http::StatusCode;
use serde_json::json;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::shapes::list_or_null;

/// Removes the containers that do not run.
pub(in crate::routes) async fn prune(call: Call) -> Result<Reply, Error> {
    let request = v1::PruneContainersRequest { filters: call.query.filters()? };
    let pruned = call.containers().prune_containers(request).await?.into_inner();
    let report = json!({"ContainersDeleted": list_or_null(&pruned.ids), "SpaceReclaimed": pruned.freed_bytes});
    Ok(Reply::json(StatusCode::OK, &report))
}
