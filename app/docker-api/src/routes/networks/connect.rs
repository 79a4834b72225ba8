//! `POST /networks/{name}/connect`.

use cove_proto::v1;
use http::StatusCode;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::spec::network::attachment;

/// Puts a container on a network.
pub(in crate::routes) async fn connect(mut call: Call) -> Result<Reply, Error> {
    let body = call.json().await?;
    let container = container(&body)?;
    let attachment = Some(attachment(&call.name(), &body["EndpointConfig"])?);
    call.networks().connect_network(v1::ConnectNetworkRequest { container, attachment }).await?;
    Ok(Reply::empty(StatusCode::OK))
}

/// The container that a body names.
pub(super) fn container(body: &serde_json::Value) -> Result<String, Error> {
    match body["Container"].as_str() {
        None | Some("") => Err(Error::BadRequest("invalid name or ID supplied: \"\"".to_owned())),
        Some(container) => Ok(container.to_owned()),
    }
}
