//! `DELETE /containers/{id}`.

use cove_proto::v1;
use http::StatusCode;

use crate::call::Call;
use crate::error::{Error, unsupported};
use crate::reply::Reply;

/// Removes a container.
pub(in crate::routes) async fn remove(call: Call) -> Result<Reply, Error> {
    if call.query.flag("link") {
        return Err(unsupported("--link"));
    }
    let request = v1::RemoveContainerRequest {
        container: call.name(),
        force: call.query.flag("force"),
        volumes: call.query.flag("v"),
    };
    call.containers().remove_container(request).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
