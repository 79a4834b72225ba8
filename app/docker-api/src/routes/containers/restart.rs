//! `POST /containers/{id}/restart`.

use cove_proto::v1;
use http::StatusCode;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;

/// Stops and starts a container.
pub(in crate::routes) async fn restart(call: Call) -> Result<Reply, Error> {
    let request = v1::RestartContainerRequest {
        container: call.name(),
        timeout_seconds: call.query.number("t")?,
        signal: call.query.get("signal").to_owned(),
    };
    call.containers().restart_container(request).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
