//! Which network a container gets.

use serde_json::{Map, Value};

use crate::error::{Error, unsupported};
use crate::spec::unsupported::is_default;

/// The engine's word for a network mode.
pub(super) fn mode(mode: Option<&str>) -> Result<String, Error> {
    match mode.unwrap_or_default() {
        "" | "default" | "bridge" => Ok(String::new()),
        mode @ ("none" | "host") => Ok(mode.to_owned()),
        mode if mode.starts_with("container:") => Ok(mode.to_owned()),
        other => Err(unsupported(&format!("--network {other} (only none, host, container:ID and the default)"))),
    }
}

/// Refuses ports of a network that is another container's.
pub(super) fn check_exposed(mode: Option<&str>, ports: Option<&Map<String, Value>>) -> Result<(), Error> {
    let joins = mode.is_some_and(|mode| mode.starts_with("container:"));
    if joins && ports.is_some_and(|ports| !ports.is_empty()) {
        let message = "conflicting options: port exposing and the container type network mode";
        return Err(Error::BadRequest(message.to_owned()));
    }
    Ok(())
}

/// Refuses endpoints that ask for more than to be on one of the built-in networks.
pub(super) fn check_endpoints(body: &Value) -> Result<(), Error> {
    let Some(endpoints) = body["NetworkingConfig"]["EndpointsConfig"].as_object() else { return Ok(()) };
    for (network, endpoint) in endpoints {
        mode(Some(network))?;
        let Some(settings) = endpoint.as_object() else { continue };
        check_addresses(network, endpoint)?;
        // dockerd takes no notice of these on such a network.
        let asks = |(setting, value): &(&String, &Value)| *setting != "IPAMConfig" && !is_default(value);
        if let Some((setting, _)) = settings.iter().find(asks) {
            return Err(unsupported(&format!("{setting} of a network endpoint ({})", option(setting))));
        }
    }
    Ok(())
}

/// Refuses what only networks of the user's own have, in dockerd's words.
fn check_addresses(network: &str, endpoint: &Value) -> Result<(), Error> {
    let network = if network == "default" { "bridge" } else { network };
    let asked = |addresses: &[&str]| addresses.iter().any(|address| !is_default(&endpoint["IPAMConfig"][*address]));
    let wrong = if asked(&["IPv4Address", "IPv6Address"]) {
        "* user specified IP address is supported on user defined networks only\n\
         * user specified IP address is supported only when connecting to networks with user configured subnets"
    } else if !is_default(&endpoint["Aliases"]) {
        "network-scoped alias is supported only for containers in user defined networks"
    } else {
        return Ok(());
    };
    Err(Error::BadRequest(format!("invalid config for network {network}: invalid endpoint settings:\n{wrong}")))
}

/// The option of the command line that makes a setting.
fn option(setting: &str) -> &'static str {
    match setting {
        "IPAddress" => "--ip",
        "Links" => "--link",
        "MacAddress" => "--mac-address",
        _ => "--network",
    }
}
