//! `GET /volumes`.

use cove_proto::v1;
use http::StatusCode;
use serde_json::{Value, json};

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::shapes::volume;

/// Lists volumes.
pub(in crate::routes) async fn list(call: Call) -> Result<Reply, Error> {
    let request = v1::ListVolumesRequest { filters: call.query.filters()?, sizes: false };
    let found = call.volumes().list_volumes(request).await?.into_inner().volumes;
    let volumes: Vec<Value> = found.iter().map(volume::shape).collect();
    Ok(Reply::json(StatusCode::OK, &json!({"Volumes": volumes, "Warnings": null})))
}
