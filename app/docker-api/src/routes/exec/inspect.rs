//! `GET /exec/{id}/json`.

use cove_proto::v1;
use http::StatusCode;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::shapes::exec;

/// Says all about one exec.
pub(in crate::routes) async fn inspect(call: Call) -> Result<Reply, Error> {
    let request = v1::GetExecRequest { exec: call.name() };
    let found = call.execs().get_exec(request).await?.into_inner().exec.unwrap_or_default();
    Ok(Reply::json(StatusCode::OK, &exec::shape(&found)))
}
