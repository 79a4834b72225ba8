//! The networks of a container.

use std::collections::BTreeMap;

use cove_proto::v1::{Container, ContainerSpec, NetworkAttachment, NetworkEndpoint};
use serde_json::{Map, Value, json};

use crate::shapes::{list_or_null, ports};

/// Docker's word for the network mode.
pub(super) fn mode(spec: &ContainerSpec) -> &str {
    if spec.network_mode.is_empty() { "bridge" } else { &spec.network_mode }
}

/// The `Networks` of a container in a list, where dockerd leaves out the names.
pub(super) fn row(container: &Container) -> Value {
    networks(container, |endpoint| NetworkEndpoint {
        dns_names: Vec::new(),
        attachment: endpoint.attachment.map(|asked| NetworkAttachment { aliases: Vec::new(), ..asked }),
        ..endpoint
    })
}

/// The `Networks`, by name. What belongs to a place is empty while the container does not run.
fn networks(container: &Container, shown: impl Fn(NetworkEndpoint) -> NetworkEndpoint) -> Value {
    let all = container.networks.iter().cloned();
    json!(all.map(|endpoint| (endpoint.network.clone(), settings(&shown(endpoint)))).collect::<BTreeMap<_, _>>())
}

fn settings(at: &NetworkEndpoint) -> Value {
    let asked = at.attachment.clone().unwrap_or_default();
    json!({
        "IPAMConfig": addresses(&asked),
        "Links": list_or_null(&asked.links),
        "Aliases": list_or_null(&asked.aliases),
        "MacAddress": if at.mac_address.is_empty() { &asked.mac_address } else { &at.mac_address },
        "DriverOpts": options(&asked),
        "GwPriority": asked.gateway_priority,
        "NetworkID": at.network_id,
        "EndpointID": at.endpoint_id,
        "Gateway": at.ipv4_gateway,
        "IPAddress": at.ipv4_address,
        "IPPrefixLen": at.ipv4_prefix_length,
        "IPv6Gateway": at.ipv6_gateway,
        "GlobalIPv6Address": at.ipv6_address,
        "GlobalIPv6PrefixLen": at.ipv6_prefix_length,
        "DNSNames": list_or_null(&at.dns_names),
    })
}

/// The addresses that were asked for; null if none was.
fn addresses(asked: &NetworkAttachment) -> Value {
    let mut shape = Map::new();
    for (member, text) in [("IPv4Address", &asked.ipv4_address), ("IPv6Address", &asked.ipv6_address)] {
        if !text.is_empty() {
            shape.insert(member.to_owned(), json!(text));
        }
    }
    if !asked.link_local_addresses.is_empty() {
        shape.insert("LinkLocalIPs".to_owned(), json!(asked.link_local_addresses));
    }
    if shape.is_empty() { Value::Null } else { Value::Object(shape) }
}

fn options(asked: &NetworkAttachment) -> Value {
    let sorted: BTreeMap<_, _> = asked.driver_options.iter().collect();
    if sorted.is_empty() { Value::Null } else { json!(sorted) }
}

/// The `NetworkSettings` of an inspected container.
pub(super) fn shape(container: &Container) -> Value {
    // The members of old clients are those of the default bridge.
    let at = container.networks.iter().find(|at| at.network == "bridge").cloned().unwrap_or_default();
    json!({
        "Bridge": "",
        "SandboxID": container.sandbox_id,
        "SandboxKey": sandbox_key(container),
        "Ports": ports::open(container),
        "HairpinMode": false,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": null,
        "SecondaryIPv6Addresses": null,
        "EndpointID": at.endpoint_id,
        "Gateway": at.ipv4_gateway,
        "GlobalIPv6Address": at.ipv6_address,
        "GlobalIPv6PrefixLen": at.ipv6_prefix_length,
        "IPAddress": at.ipv4_address,
        "IPPrefixLen": at.ipv4_prefix_length,
        "IPv6Gateway": at.ipv6_gateway,
        "MacAddress": at.mac_address,
        "Networks": networks(container, |endpoint| endpoint),
    })
}

/// dockerd's name for the network namespace.
fn sandbox_key(container: &Container) -> String {
    let id = container.sandbox_id.get(..12).unwrap_or_default();
    match container.networks.iter().any(|at| at.network == "host") {
        _ if id.is_empty() => String::new(),
        true => "/var/run/docker/netns/default".to_owned(),
        false => format!("/var/run/docker/netns/{id}"),
    }
}
