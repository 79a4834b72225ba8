//! The network of a container.

use cove_proto::v1::{Container, ContainerSpec, NetworkEndpoint};
use serde_json::{Map, Value, json};

/// Docker's word for the network mode.
pub(super) fn mode(spec: &ContainerSpec) -> &str {
    if spec.network_mode.is_empty() { "bridge" } else { &spec.network_mode }
}

/// The `Networks` of a container. What belongs to an endpoint is empty while it does not run.
pub(super) fn networks(container: &Container) -> Value {
    let spec = container.spec.clone().unwrap_or_default();
    let mode = mode(&spec);
    if mode.starts_with("container:") {
        // It has none of its own.
        return json!({});
    }
    let at = endpoint(container);
    let endpoint = json!({
        "IPAMConfig": null,
        "Links": null,
        "Aliases": null,
        "MacAddress": at.mac_address,
        "DriverOpts": null,
        "GwPriority": 0,
        "NetworkID": at.network_id,
        "EndpointID": at.endpoint_id,
        "Gateway": at.ipv4_gateway,
        "IPAddress": at.ipv4_address,
        "IPPrefixLen": at.ipv4_prefix_length,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "DNSNames": null,
    });
    let name = if mode == "default" { "bridge" } else { mode };
    Value::Object(Map::from_iter([(name.to_owned(), endpoint)]))
}

/// The `NetworkSettings` of an inspected container.
pub(super) fn shape(container: &Container) -> Value {
    // The members of old clients are those of the default bridge.
    let at = Some(endpoint(container)).filter(|at| at.network == "bridge").unwrap_or_default();
    json!({
        "Bridge": "",
        "SandboxID": "",
        "SandboxKey": "",
        "Ports": {},
        "HairpinMode": false,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": null,
        "SecondaryIPv6Addresses": null,
        "EndpointID": at.endpoint_id,
        "Gateway": at.ipv4_gateway,
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "IPAddress": at.ipv4_address,
        "IPPrefixLen": at.ipv4_prefix_length,
        "IPv6Gateway": "",
        "MacAddress": at.mac_address,
        "Networks": networks(container),
    })
}

fn endpoint(container: &Container) -> NetworkEndpoint {
    container.networks.first().cloned().unwrap_or_default()
}
