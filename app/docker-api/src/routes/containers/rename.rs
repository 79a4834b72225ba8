//! `POST /containers/{id}/rename`.

use cove_proto::v1;
use http::StatusCode;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;

/// Gives a container a new name.
pub(in crate::routes) async fn rename(call: Call) -> Result<Reply, Error> {
    let name = call.query.get("name").trim_start_matches('/').to_owned();
    if name.is_empty() {
        return Err(Error::BadRequest("Neither old nor new names may be empty".to_owned()));
    }
    call.containers().rename_container(v1::RenameContainerRequest { container: call.name(), name }).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
