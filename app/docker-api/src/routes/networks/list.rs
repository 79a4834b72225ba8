//! `GET /networks`.

use cove_proto::v1;
use http::StatusCode;
use serde_json::Value;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::shapes::network;

/// Lists networks.
pub(in crate::routes) async fn list(call: Call) -> Result<Reply, Error> {
    let request = v1::ListNetworksRequest { filters: call.query.filters()? };
    let found = call.networks().list_networks(request).await?.into_inner().networks;
    let networks: Vec<Value> = found.iter().map(network::listed).collect();
    Ok(Reply::json(StatusCode::OK, &Value::Array(networks)))
}
