//! `POST /networks/{name}/disconnect`.

use cove_proto::v1;
use http::StatusCode;

use super::connect::container;
use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;

/// Takes a container off a network.
pub(in crate::routes) async fn disconnect(mut call: Call) -> Result<Reply, Error> {
    let body = call.json().await?;
    let force = body["Force"].as_bool().unwrap_or(false);
    let request = v1::DisconnectNetworkRequest { network: call.name(), container: container(&body)?, force };
    call.networks().disconnect_network(request).await?;
    Ok(Reply::empty(StatusCode::OK))
}
