//! `GET /networks/{name}`.

use cove_proto::v1;
use http::StatusCode;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::shapes::network;

/// Says all about a network.
pub(in crate::routes) async fn inspect(call: Call) -> Result<Reply, Error> {
    let request = v1::GetNetworkRequest { network: call.name() };
    let found = call.networks().get_network(request).await?.into_inner().network.unwrap_or_default();
    Ok(Reply::json(StatusCode::OK, &network::shape(&found)))
}
