//! `POST /exec/{id}/resize`.

use cove_proto::v1;
use http::StatusCode;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::routes::containers::resize::size;

/// Sets the size of the terminal.
pub(in crate::routes) async fn resize(call: Call) -> Result<Reply, Error> {
    let size = Some(size(&call.query)?);
    call.execs().resize_exec(v1::ResizeExecRequest { exec: call.name(), size }).await?;
    Ok(Reply::empty(StatusCode::OK))
}
