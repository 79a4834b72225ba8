//! `GET /containers/{id}/stats`.

use std::time::Duration;

use bytes::Bytes;
use cove_proto::v1;
use futures::{StreamExt as _, stream};
use http::StatusCode;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::shapes::stats::{NEVER, shape};

/// Between the two looks from which a client without a stream reckons the use of the CPU. dockerd takes a second or two;
/// the kernel counts the guest's time in hundredths of a second, so that this is exact to about a fiftieth.
const BETWEEN: Duration = Duration::from_millis(500);

/// Sends what a container uses: each second, or once.
pub(in crate::routes) async fn stats(call: Call) -> Result<Reply, Error> {
    // Without the parameter it streams.
    let streams = call.query.get("stream").is_empty() || call.query.flag("stream");
    let one_shot = call.query.flag("one-shot");
    if streams && one_shot {
        return Err(Error::BadRequest("cannot have stream=true and one-shot=true".to_owned()));
    }
    if streams {
        return streamed(&call).await;
    }
    let first = once(&call).await?;
    if one_shot || !first.running {
        return Ok(Reply::json(StatusCode::OK, &shape(&first, NEVER)));
    }
    tokio::time::sleep(BETWEEN).await;
    Ok(Reply::json(StatusCode::OK, &shape(&once(&call).await?, Some(&first))))
}

async fn ask(call: &Call, once: bool) -> Result<tonic::Streaming<v1::GetContainerStatsResponse>, Error> {
    let request = v1::GetContainerStatsRequest { container: call.name(), once };
    Ok(call.containers().get_container_stats(request).await?.into_inner())
}

async fn once(call: &Call) -> Result<v1::GetContainerStatsResponse, Error> {
    let seen = ask(call, true).await?.message().await?;
    // Removed between question and answer.
    seen.ok_or_else(|| Error::NotFound(format!("No such container: {}", call.name())))
}

async fn streamed(call: &Call) -> Result<Reply, Error> {
    let lines = stream::try_unfold((ask(call, false).await?, None), |(mut seen, before)| async move {
        let Some(now) = seen.message().await? else { return Ok::<_, Error>(None) };
        let line = format!("{}\n", shape(&now, before.as_ref()));
        Ok(Some((Bytes::from(line), (seen, Some(now)))))
    });
    Ok(Reply::stream("application/json", lines.boxed()))
}
