//! `POST /containers/{id}/stop`.

use cove_proto::v1;
use http::StatusCode;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;

/// Stops a container.
pub(in crate::routes) async fn stop(call: Call) -> Result<Reply, Error> {
    let request = v1::StopContainerRequest {
        container: call.name(),
        timeout_seconds: call.query.number("t")?,
        signal: call.query.get("signal").to_owned(),
    };
    let stopped = call.containers().stop_container(request).await?.into_inner();
    Ok(Reply::empty(if stopped.already_stopped { StatusCode::NOT_MODIFIED } else { StatusCode::NO_CONTENT }))
}
