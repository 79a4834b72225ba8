//! `POST /containers/{id}/unpause`.

use cove_proto::v1;
use http::StatusCode;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;

/// Lets the processes of a container go on.
pub(in crate::routes) async fn unpause(call: Call) -> Result<Reply, Error> {
    call.containers().unpause_container(v1::UnpauseContainerRequest { container: call.name() }).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
