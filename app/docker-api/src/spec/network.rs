//! Which network a container gets.

use serde_json::Value;

use crate::error::{Error, unsupported};
use crate::spec::unsupported::is_default;

/// The engine's word for a network mode.
pub(super) fn mode(mode: Option<&str>) -> Result<String, Error> {
    match mode.unwrap_or_default() {
        "" | "default" | "bridge" => Ok(String::new()),
        mode @ ("none" | "host") => Ok(mode.to_owned()),
        other => Err(unsupported(&format!("--network {other} (only none, host and the default)"))),
    }
}

/// Refuses endpoints that ask for more than to be on one of the built-in networks.
pub(super) fn check_endpoints(body: &Value) -> Result<(), Error> {
    let Some(endpoints) = body["NetworkingConfig"]["EndpointsConfig"].as_object() else { return Ok(()) };
    for (network, endpoint) in endpoints {
        mode(Some(network))?;
        let Some(settings) = endpoint.as_object() else { continue };
        if let Some((setting, _)) = settings.iter().find(|(_, value)| !is_default(value)) {
            return Err(unsupported(&format!("{setting} of a network endpoint ({})", option(setting))));
        }
    }
    Ok(())
}

/// The option of the command line that makes a setting.
fn option(setting: &str) -> &'static str {
    match setting {
        "IPAMConfig" | "IPAddress" => "--ip",
        "Links" => "--link",
        "Aliases" => "--network-alias",
        "MacAddress" => "--mac-address",
        _ => "--network",
    }
}
