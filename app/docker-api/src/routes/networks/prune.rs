//! `POST /networks/prune`.

use cove_proto::v1;
use http::StatusCode;
use serde_json::json;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::shapes::list_or_null;

/// Removes the networks that no running container is on.
pub(in crate::routes) async fn prune(call: Call) -> Result<Reply, Error> {
    let request = v1::PruneNetworksRequest { filters: call.query.filters()? };
    let pruned = call.networks().prune_networks(request).await?.into_inner();
    Ok(Reply::json(StatusCode::OK, &json!({"NetworksDeleted": list_or_null(&pruned.names)})))
}
