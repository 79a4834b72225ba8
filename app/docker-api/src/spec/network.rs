//! Which networks a container is on.

use std::collections::HashMap;

use cove_proto::v1::{NetworkAttachment, NetworkAttachments};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::ports::PortBindings;
use crate::{call::invalid_json, error::Error};

/// Docker's `EndpointSettings`, as far as a client says something with it. The rest is what dockerd answers with, and takes
/// no notice of when it comes back.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct EndpointSettings {
    #[serde(rename = "IPAMConfig")]
    addresses: Option<Addresses>,
    links: Option<Vec<String>>,
    aliases: Option<Vec<String>>,
    mac_address: Option<String>,
    driver_opts: Option<HashMap<String, String>>,
    gw_priority: Option<i64>,
}

/// Docker's `EndpointIPAMConfig`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Addresses {
    #[serde(rename = "IPv4Address")]
    ipv4: Option<String>,
    #[serde(rename = "IPv6Address")]
    ipv6: Option<String>,
    #[serde(rename = "LinkLocalIPs")]
    link_local: Option<Vec<String>>,
}

/// The engine's word for a network mode.
pub(super) fn mode(mode: Option<&str>) -> String {
    match mode.unwrap_or_default() {
        "default" | "bridge" => String::new(),
        mode => mode.to_owned(),
    }
}

/// Reads how a container is to be on a network.
pub(crate) fn attachment(network: &str, settings: &Value) -> Result<NetworkAttachment, Error> {
    let settings: EndpointSettings = Option::deserialize(settings).map_err(invalid_json)?.unwrap_or_default();
    let addresses = settings.addresses.unwrap_or_default();
    Ok(NetworkAttachment {
        network: network.to_owned(),
        aliases: settings.aliases.unwrap_or_default(),
        links: settings.links.unwrap_or_default(),
        ipv4_address: addresses.ipv4.unwrap_or_default(),
        ipv6_address: addresses.ipv6.unwrap_or_default(),
        link_local_addresses: addresses.link_local.unwrap_or_default(),
        mac_address: settings.mac_address.unwrap_or_default(),
        driver_options: settings.driver_opts.unwrap_or_default(),
        gateway_priority: settings.gw_priority.unwrap_or_default(),
        network_id: String::new(),
    })
}

/// Reads `EndpointsConfig`. The hardware address that old clients give the container is that of its main network.
pub(super) fn attachments(body: &Value, mode: &str) -> Result<Option<NetworkAttachments>, Error> {
    let of_container = body["MacAddress"].as_str().unwrap_or_default();
    let endpoints = body["NetworkingConfig"]["EndpointsConfig"].as_object();
    let read = endpoints.into_iter().flatten().map(|(network, settings)| attachment(network, settings));
    let mut attachments = read.collect::<Result<Vec<_>, _>>()?;
    let is_main = |one: &NetworkAttachment| self::mode(Some(&one.network)) == mode;
    if !of_container.is_empty() && !mode.starts_with("container:") {
        if !attachments.iter().any(is_main) {
            let network = if mode.is_empty() { "bridge" } else { mode }.to_owned();
            attachments.push(NetworkAttachment { network, ..NetworkAttachment::default() });
        }
        for main in attachments.iter_mut().filter(|one| is_main(one)) {
            if !main.mac_address.is_empty() && main.mac_address != of_container {
                let message = "the container-wide MAC address must match the endpoint-specific MAC address for the \
                               main network, or be left empty";
                return Err(Error::BadRequest(format!("conflicting options: {message}")));
            }
            of_container.clone_into(&mut main.mac_address);
        }
    }
    Ok((!attachments.is_empty()).then_some(NetworkAttachments { attachments }))
}

/// Refuses ports of a network that is another container's.
pub(super) fn check_ports(
    mode: Option<&str>,
    exposed: Option<&Map<String, Value>>,
    bindings: Option<&PortBindings>,
) -> Result<(), Error> {
    let joins = mode.is_some_and(|mode| mode.starts_with("container:"));
    let wrong = match () {
        () if bindings.is_some_and(|bindings| !bindings.is_empty()) => "publishing",
        () if exposed.is_some_and(|ports| !ports.is_empty()) => "exposing",
        () => return Ok(()),
    };
    if joins {
        let message = format!("conflicting options: port {wrong} and the container type network mode");
        return Err(Error::BadRequest(message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn endpoints_are_read_and_what_dockerd_answers_with_is_not() {
        let settings = json!({
            "IPAMConfig": {"IPv4Address": "10.0.0.7", "IPv6Address": null}, "Aliases": ["db"], "Links": null,
            "MacAddress": "02:42:0a:00:00:07", "GwPriority": 5, "IPAddress": "9.9.9.9", "DNSNames": ["x"],
        });
        let read = attachment("back", &settings).unwrap();
        assert_eq!((read.network.as_str(), read.ipv4_address.as_str(), read.gateway_priority), ("back", "10.0.0.7", 5));
        assert_eq!((read.aliases, read.mac_address.as_str()), (vec!["db".to_owned()], "02:42:0a:00:00:07"));
        assert_eq!(attachment("back", &Value::Null).unwrap().network, "back");
        assert!(attachment("back", &json!({"Aliases": 1})).unwrap_err().to_string().starts_with("invalid JSON"));
    }

    #[test]
    fn a_hardware_address_of_the_container_is_that_of_its_main_network() {
        let macs = |body: Value, mode: &str| {
            let all = attachments(&body, mode).map(Option::unwrap_or_default).map_err(|error| error.to_string());
            all.map(|all| all.attachments.into_iter().map(|one| (one.network, one.mac_address)).collect::<Vec<_>>())
        };
        let pair = |network: &str, mac: &str| (network.to_owned(), mac.to_owned());
        assert_eq!(macs(json!({}), ""), Ok(vec![]));
        assert_eq!(macs(json!({"MacAddress": "m"}), ""), Ok(vec![pair("bridge", "m")]));
        let two = json!({"MacAddress": "m", "NetworkingConfig": {"EndpointsConfig": {"a": {}, "b": null}}});
        assert_eq!(macs(two, "b"), Ok(vec![pair("a", ""), pair("b", "m")]));
        let other = json!({"MacAddress": "m", "NetworkingConfig": {"EndpointsConfig": {"a": {"MacAddress": "n"}}}});
        assert!(macs(other, "a").unwrap_err().contains("must match"));
    }
}
