//! `POST /containers/{id}/update`.

use http::StatusCode;
use serde_json::json;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::shapes::list_or_null;
use crate::spec;

/// Changes limits and the restart policy.
pub(in crate::routes) async fn update(mut call: Call) -> Result<Reply, Error> {
    let (request, mut warnings) = spec::update_from_body(call.name(), call.json_if_any().await?)?;
    let updated = call.containers().update_container(request).await?.into_inner();
    warnings.extend(updated.warnings);
    Ok(Reply::json(StatusCode::OK, &json!({"Warnings": list_or_null(&warnings)})))
}
