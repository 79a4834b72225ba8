//! `GET /distribution/{name}/json`.

use cove_proto::v1;
use http::StatusCode;
use serde_json::{Value, json};

use super::{credentials, refused};
use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;

/// Says what a reference leads to.
pub(in crate::routes) async fn inspect(call: Call) -> Result<Reply, Error> {
    let request = v1::GetDistributionRequest { reference: call.name(), credentials: Some(credentials(&call)?) };
    let found = call.registry().get_distribution(request).await.map_err(refused)?.into_inner();
    let platforms: Vec<Value> = found.platforms.iter().map(platform).collect();
    let descriptor = json!({"mediaType": found.media_type, "digest": found.digest, "size": found.size_bytes});
    Ok(Reply::json(StatusCode::OK, &json!({"Descriptor": descriptor, "Platforms": platforms})))
}

fn platform(platform: &v1::ImagePlatform) -> Value {
    let mut shape = json!({"architecture": platform.arch, "os": platform.os});
    if !platform.variant.is_empty() {
        shape["variant"] = json!(platform.variant);
    }
    shape
}
