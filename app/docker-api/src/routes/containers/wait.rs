//! `POST /containers/{id}/wait`.
//!
//! The headers go out as soon as the engine has registered the wait: `docker run` starts the container only when it has
//! them. A client that hangs up drops the call.

use bytes::Bytes;
use cove_proto::v1::{self, WaitCondition};
use futures::StreamExt as _;
use serde_json::json;

use crate::call::Call;
use crate::error::{Error, chain};
use crate::reply::Reply;

/// Waits for a container.
pub(in crate::routes) async fn wait(call: Call) -> Result<Reply, Error> {
    let condition = match call.query.get("condition") {
        "" | "not-running" => WaitCondition::NotRunning,
        "next-exit" => WaitCondition::NextExit,
        "removed" => WaitCondition::Removed,
        other => return Err(Error::BadRequest(format!("invalid condition: {other:?}"))),
    };
    let request = v1::WaitContainerRequest { container: call.name(), condition: condition.into() };
    let waited = call.containers().wait_container(request).await?.into_inner();
    let body = waited.take(1).map(|outcome| Ok::<_, Error>(line(outcome)));
    Ok(Reply::stream("application/json", body))
}

fn line(outcome: Result<v1::WaitContainerResponse, tonic::Status>) -> Bytes {
    let value = match outcome {
        // A start that failed has an exit code too, and dockerd then tells no more than that.
        Ok(ended) if ended.error.is_empty() || ended.exit_code != 0 => json!({"StatusCode": ended.exit_code}),
        Ok(failed) => json!({"Error": {"Message": failed.error}, "StatusCode": failed.exit_code}),
        Err(status) => json!({"Error": {"Message": chain(&status)}, "StatusCode": -1}),
    };
    Bytes::from(format!("{value}\n"))
}
