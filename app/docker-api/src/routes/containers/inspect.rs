//! `GET /containers/{id}/json`.

use cove_proto::v1;
use http::StatusCode;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::shapes::container;

/// Says all about one container.
pub(in crate::routes) async fn inspect(call: Call) -> Result<Reply, Error> {
    let found = get(&call, call.query.flag("size")).await?;
    Ok(Reply::json(StatusCode::OK, &container::shape(&found)))
}

/// Gets the container that the path names.
pub(super) async fn get(call: &Call, sizes: bool) -> Result<v1::Container, Error> {
    let request = v1::GetContainerRequest { container: call.name(), sizes };
    Ok(call.containers().get_container(request).await?.into_inner().container.unwrap_or_default())
}
