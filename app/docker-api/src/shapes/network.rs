//! A network.

use cove_proto::v1::{Network, NetworkContainer};
use serde_json::{Map, Value, json};

use crate::timestamps;

/// All about a network.
pub(crate) fn shape(network: &Network) -> Value {
    let mut shape = summary(network);
    let containers = network.containers.iter().map(|one| (one.id.clone(), container(one)));
    shape["Containers"] = Value::Object(containers.collect());
    shape
}

/// A row of `docker network ls`: dockerd does not say who is on it there.
pub(crate) fn summary(network: &Network) -> Value {
    json!({
        "Name": network.name,
        "Id": network.id,
        "Created": timestamps::rfc3339(network.created_at.as_ref()),
        "Scope": "local",
        "Driver": network.driver,
        "EnableIPv4": true,
        "EnableIPv6": false,
        "IPAM": {"Driver": "default", "Options": null, "Config": addresses(network)},
        "Internal": false,
        "Attachable": false,
        "Ingress": false,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": false,
        "Containers": {},
        "Options": options(network),
        "Labels": {},
    })
}

fn addresses(network: &Network) -> Value {
    if network.ipv4_subnet.is_empty() {
        return Value::Null;
    }
    json!([{"Subnet": network.ipv4_subnet, "Gateway": network.ipv4_gateway}])
}

fn options(network: &Network) -> Value {
    if network.device.is_empty() {
        return json!({});
    }
    let options = [
        ("default_bridge", "true"),
        ("enable_icc", "true"),
        ("enable_ip_masquerade", "true"),
        ("host_binding_ipv4", "0.0.0.0"),
        ("name", network.device.as_str()),
    ];
    let mut shape: Map<String, Value> =
        options.into_iter().map(|(name, value)| (format!("com.docker.network.bridge.{name}"), json!(value))).collect();
    shape.insert("com.docker.network.driver.mtu".to_owned(), json!("1500"));
    Value::Object(shape)
}

fn container(container: &NetworkContainer) -> Value {
    json!({
        "Name": container.name,
        "EndpointID": container.endpoint_id,
        "MacAddress": container.mac_address,
        "IPv4Address": container.ipv4_address,
        "IPv6Address": "",
    })
}
