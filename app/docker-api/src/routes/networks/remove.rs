//! `DELETE /networks/{name}`.

use cove_proto::v1;
use http::StatusCode;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;

/// Removes a network.
pub(in crate::routes) async fn remove(call: Call) -> Result<Reply, Error> {
    call.networks().remove_network(v1::RemoveNetworkRequest { network: call.name() }).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
