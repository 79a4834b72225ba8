//! `POST /containers/{id}/resize`.

use cove_proto::v1;
use http::StatusCode;

use crate::call::Call;
use crate::error::Error;
use crate::query::Query;
use crate::reply::Reply;

/// Sets the size of the terminal.
pub(in crate::routes) async fn resize(call: Call) -> Result<Reply, Error> {
    let size = Some(size(&call.query)?);
    call.containers().resize_container(v1::ResizeContainerRequest { container: call.name(), size }).await?;
    Ok(Reply::empty(StatusCode::OK))
}

/// Reads `h` and `w`.
pub(in crate::routes) fn size(query: &Query) -> Result<v1::TerminalSize, Error> {
    let number = |name: &str, what: &str| {
        let text = query.get(name);
        text.parse().map_err(|_| Error::BadRequest(format!("invalid resize {what} {text:?}: invalid syntax")))
    };
    Ok(v1::TerminalSize { rows: number("h", "height")?, columns: number("w", "width")? })
}
