//! The network of a container. There are no endpoints before there is a bridge, so that all addresses are empty.

use cove_proto::v1::ContainerSpec;
use serde_json::{Map, Value, json};

/// Docker's word for the network mode.
pub(super) fn mode(spec: &ContainerSpec) -> &str {
    if spec.network_mode.is_empty() { "bridge" } else { &spec.network_mode }
}

/// The `Networks` of a container.
pub(super) fn networks(spec: &ContainerSpec) -> Value {
    if mode(spec).starts_with("container:") {
        // It has none of its own.
        return json!({});
    }
    let endpoint = json!({
        "IPAMConfig": null,
        "Links": null,
        "Aliases": null,
        "MacAddress": "",
        "DriverOpts": null,
        "GwPriority": 0,
        "NetworkID": "",
        "EndpointID": "",
        "Gateway": "",
        "IPAddress": "",
        "IPPrefixLen": 0,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "DNSNames": null,
    });
    Value::Object(Map::from_iter([(mode(spec).to_owned(), endpoint)]))
}

/// The `NetworkSettings` of an inspected container.
pub(super) fn shape(spec: &ContainerSpec) -> Value {
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
        "EndpointID": "",
        "Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "IPAddress": "",
        "IPPrefixLen": 0,
        "IPv6Gateway": "",
        "MacAddress": "",
        "Networks": networks(spec),
    })
}
