//! `DELETE /containers/{id}`.

use cove_proto::v1;
use http::StatusCode;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;

/// Removes a container.
pub(in crate::routes) async fn remove(call: Call) -> Result<Reply, Error> {
    let request = v1::RemoveContainerRequest {
        container: call.name(),
        force: call.query.flag("force"),
        volumes: call.query.flag("v"),
        link: call.query.flag("link"),
    };
    call.containers().remove_container(request).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
