//! `POST /containers/{id}/pause`.

use cove_proto::v1;
use http::StatusCode;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;

/// Freezes all processes of a container.
pub(in crate::routes) async fn pause(call: Call) -> Result<Reply, Error> {
    call.containers().pause_container(v1::PauseContainerRequest { container: call.name() }).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
