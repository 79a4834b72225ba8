//! `POST /containers/{id}/kill`.

use cove_proto::v1;
use http::StatusCode;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;

/// Sends a signal.
pub(in crate::routes) async fn kill(call: Call) -> Result<Reply, Error> {
    let request = v1::KillContainerRequest { container: call.name(), signal: call.query.get("signal").to_owned() };
    call.containers().kill_container(request).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
