//! The network of a container. While it does not run it has no address.

use cove_proto::v1::{Container, ContainerSpec, NetworkEndpoint};
use serde_json::{Map, Value, json};

/// Docker's word for the network mode.
pub(super) fn mode(spec: &ContainerSpec) -> &str {
    if spec.network_mode.is_empty() { "bridge" } else { &spec.network_mode }
}

/// The `Networks` of a container.
pub(super) fn networks(container: &Container, spec: &ContainerSpec) -> Value {
    if mode(spec).starts_with("container:") {
        // It has none of its own.
        return json!({});
    }
    let endpoint = own(container);
    let shape = json!({
        "IPAMConfig": null,
        "Links": null,
        "Aliases": null,
        "MacAddress": endpoint.mac_address,
        "DriverOpts": null,
        "GwPriority": 0,
        "NetworkID": endpoint.network_id,
        "EndpointID": endpoint.endpoint_id,
        "Gateway": endpoint.ipv4_gateway,
        "IPAddress": endpoint.ipv4_address,
        "IPPrefixLen": endpoint.ipv4_prefix_length,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "DNSNames": null,
    });
    Value::Object(Map::from_iter([(mode(spec).to_owned(), shape)]))
}

/// The `NetworkSettings` of an inspected container. The members beside `Networks` are from before there were several, and
/// say what is so of the default bridge.
pub(super) fn shape(container: &Container, spec: &ContainerSpec) -> Value {
    let default = if mode(spec) == "bridge" { own(container) } else { NetworkEndpoint::default() };
    json!({
        "Bridge": "",
        "SandboxID": container.sandbox_id,
        "SandboxKey": sandbox_key(container, spec),
        "Ports": {},
        "HairpinMode": false,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": null,
        "SecondaryIPv6Addresses": null,
        "EndpointID": default.endpoint_id,
        "Gateway": default.ipv4_gateway,
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "IPAddress": default.ipv4_address,
        "IPPrefixLen": default.ipv4_prefix_length,
        "IPv6Gateway": "",
        "MacAddress": default.mac_address,
        "Networks": networks(container, spec),
    })
}

/// Its place in its network.
fn own(container: &Container) -> NetworkEndpoint {
    container.networks.first().cloned().unwrap_or_default()
}

/// Where dockerd has its network namespace.
fn sandbox_key(container: &Container, spec: &ContainerSpec) -> String {
    match (container.sandbox_id.get(..12), mode(spec)) {
        (None, _) => String::new(),
        (Some(_), "host") => "/var/run/docker/netns/default".to_owned(),
        (Some(begin), _) => format!("/var/run/docker/netns/{begin}"),
    }
}
