//! `POST /auth`.

use cove_proto::v1;
use http::StatusCode;
use serde_json::json;

use super::{credentials, refused};
use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;

/// Asks a registry whether it knows somebody.
pub(in crate::routes) async fn check(mut call: Call) -> Result<Reply, Error> {
    let body = call.json().await?;
    let who = credentials::of(&body).map_err(Error::BadRequest)?;
    let registry = body["serveraddress"].as_str().unwrap_or_default().to_owned();
    let request = v1::CheckLoginRequest { registry, credentials: Some(who) };
    let known = call.registry().check_login(request).await.map_err(refused)?.into_inner();
    Ok(Reply::json(StatusCode::OK, &json!({"IdentityToken": known.identity_token, "Status": "Login Succeeded"})))
}
