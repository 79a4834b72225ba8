//! `POST /networks/create`.

use std::collections::HashMap;

use cove_proto::v1;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use crate::call::{Call, invalid_json};
use crate::error::{Error, unsupported};
use crate::reply::Reply;

/// The body.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Body {
    name: Option<String>,
    driver: Option<String>,
    scope: Option<String>,
    internal: Option<bool>,
    attachable: Option<bool>,
    ingress: Option<bool>,
    config_only: Option<bool>,
    config_from: Option<ConfigFrom>,
    #[serde(rename = "IPAM")]
    addresses: Option<Addresses>,
    #[serde(rename = "EnableIPv4")]
    ipv4: Option<bool>,
    #[serde(rename = "EnableIPv6")]
    ipv6: Option<bool>,
    options: Option<HashMap<String, String>>,
    labels: Option<HashMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ConfigFrom {
    network: Option<String>,
}

/// Docker's `IPAM`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Addresses {
    driver: Option<String>,
    options: Option<HashMap<String, String>>,
    config: Option<Vec<Pool>>,
}

/// Docker's `IPAMConfig`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Pool {
    subnet: Option<String>,
    #[serde(rename = "IPRange")]
    range: Option<String>,
    gateway: Option<String>,
    #[serde(alias = "AuxAddress")]
    auxiliary_addresses: Option<HashMap<String, String>>,
}

/// Makes a network.
pub(in crate::routes) async fn create(mut call: Call) -> Result<Reply, Error> {
    let body: Body = Option::deserialize(call.json_if_any().await?).map_err(invalid_json)?.unwrap_or_default();
    check(&body)?;
    let addresses = body.addresses.unwrap_or_default();
    let request = v1::CreateNetworkRequest {
        name: body.name.unwrap_or_default(),
        driver: body.driver.filter(|driver| driver != "default").unwrap_or_default(),
        pools: addresses.config.unwrap_or_default().into_iter().map(pool).collect(),
        options: body.options.unwrap_or_default(),
        labels: body.labels.unwrap_or_default(),
        internal: body.internal.unwrap_or(false),
        attachable: body.attachable.unwrap_or(false),
        ipv4: body.ipv4,
        ipv6: body.ipv6.unwrap_or(false),
        address_options: addresses.options.unwrap_or_default(),
    };
    let made = call.networks().create_network(request).await?.into_inner();
    Ok(Reply::json(StatusCode::CREATED, &json!({"Id": made.id, "Warning": ""})))
}

fn pool(asked: Pool) -> v1::AddressPool {
    v1::AddressPool {
        subnet: asked.subnet.unwrap_or_default(),
        range: asked.range.unwrap_or_default(),
        gateway: asked.gateway.unwrap_or_default(),
        reserved: asked.auxiliary_addresses.unwrap_or_default(),
    }
}

/// Refuses what there is for swarms alone, and what this version lacks.
fn check(body: &Body) -> Result<(), Error> {
    if body.ingress == Some(true) {
        return Err(Error::Forbidden("Ingress network can only be global scope network".to_owned()));
    }
    if matches!(body.scope.as_deref(), Some("swarm" | "global")) {
        return Err(Error::Forbidden("cannot create a swarm scoped network when swarm is not active".to_owned()));
    }
    if body.config_only == Some(true) {
        return Err(unsupported("--config-only"));
    }
    if body.config_from.as_ref().and_then(|from| from.network.as_deref()).is_some_and(|network| !network.is_empty()) {
        return Err(unsupported("--config-from"));
    }
    match body.addresses.as_ref().and_then(|addresses| addresses.driver.as_deref()) {
        None | Some("" | "default") => Ok(()),
        Some(driver) => Err(Error::NotFound(format!("plugin {driver:?} not found"))),
    }
}
