//! `POST /containers/{id}/start`.

use cove_proto::v1;
use http::StatusCode;

use crate::call::Call;
use crate::error::{Error, unsupported};
use crate::reply::Reply;

/// Starts a container.
pub(in crate::routes) async fn start(call: Call) -> Result<Reply, Error> {
    if !call.query.get("checkpoint").is_empty() {
        return Err(unsupported("--checkpoint"));
    }
    let request = v1::StartContainerRequest { container: call.name() };
    let started = call.containers().start_container(request).await?.into_inner();
    Ok(Reply::empty(if started.already_running { StatusCode::NOT_MODIFIED } else { StatusCode::NO_CONTENT }))
}
