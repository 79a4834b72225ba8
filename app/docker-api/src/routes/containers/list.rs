//! `GET /containers/json`.

use cove_proto::v1;
use http::StatusCode;
use serde_json::Value;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::shapes::container_summary;

/// Lists containers.
pub(in crate::routes) async fn list(call: Call) -> Result<Reply, Error> {
    let sizes = call.query.flag("size");
    let request = v1::ListContainersRequest {
        all: call.query.flag("all"),
        // dockerd takes 0 and less for no limit.
        limit: call.query.number("limit")?.map_or(0, |limit| u32::try_from(limit).unwrap_or(0)),
        filters: call.query.filters()?,
        sizes,
    };
    let containers = call.containers().list_containers(request).await?.into_inner().containers;
    let now = jiff::Timestamp::now();
    let summaries = containers.iter().map(|container| container_summary::shape(container, now, sizes));
    Ok(Reply::json(StatusCode::OK, &Value::Array(summaries.collect())))
}
