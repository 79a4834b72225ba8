//! `POST /volumes/create`.

use std::collections::HashMap;

use cove_proto::v1;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::call::{Call, invalid_json};
use crate::error::Error;
use crate::reply::Reply;
use crate::shapes::volume;

/// The body.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Body {
    name: Option<String>,
    driver: Option<String>,
    driver_opts: Option<HashMap<String, String>>,
    labels: Option<HashMap<String, String>>,
    cluster_volume_spec: Option<Value>,
}

/// Makes a volume, or finds the one of that name.
pub(in crate::routes) async fn create(mut call: Call) -> Result<Reply, Error> {
    let body: Body = Option::deserialize(call.json().await?).map_err(invalid_json)?.unwrap_or_default();
    if body.cluster_volume_spec.is_some_and(|spec| !spec.is_null()) {
        return Err(Error::NoSwarm);
    }
    let request = v1::CreateVolumeRequest {
        name: body.name.unwrap_or_default(),
        driver: body.driver.unwrap_or_default(),
        options: body.driver_opts.unwrap_or_default(),
        labels: body.labels.unwrap_or_default(),
    };
    let made = call.volumes().create_volume(request).await?.into_inner().volume.unwrap_or_default();
    Ok(Reply::json(StatusCode::CREATED, &volume::shape(&made)))
}
