//! A network.

use std::collections::{BTreeMap, HashMap};

use cove_proto::v1::{AddressPool, Network, NetworkContainer};
use serde_json::{Map, Value, json};

use crate::timestamps;

/// All about a network.
pub(crate) fn shape(network: &Network) -> Value {
    let mut shape = summary(network);
    let containers: BTreeMap<_, _> = network.containers.iter().map(|one| (&one.id, container(one))).collect();
    shape["Containers"] = json!(containers);
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
        "EnableIPv4": network.ipv4,
        "EnableIPv6": network.ipv6,
        "IPAM": {"Driver": "default", "Options": address_options(network), "Config": pools(network)},
        "Internal": network.internal,
        "Attachable": network.attachable,
        "Ingress": false,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": false,
        "Containers": {},
        "Options": sorted(&network.options),
        "Labels": sorted(&network.labels),
    })
}

/// Of a network that is always there, dockerd says that nobody said anything.
fn address_options(network: &Network) -> Value {
    if matches!(network.name.as_str(), "bridge" | "host" | "none") {
        return Value::Null;
    }
    sorted(&network.address_options)
}

fn pools(network: &Network) -> Value {
    if network.pools.is_empty() {
        return Value::Null;
    }
    network.pools.iter().map(pool).collect()
}

/// What nobody chose is left out.
fn pool(pool: &AddressPool) -> Value {
    let mut shape = Map::new();
    shape.insert("Subnet".to_owned(), json!(pool.subnet));
    for (member, text) in [("IPRange", &pool.range), ("Gateway", &pool.gateway)] {
        if !text.is_empty() {
            shape.insert(member.to_owned(), json!(text));
        }
    }
    if !pool.reserved.is_empty() {
        shape.insert("AuxiliaryAddresses".to_owned(), sorted(&pool.reserved));
    }
    Value::Object(shape)
}

/// As Go writes a map.
fn sorted(map: &HashMap<String, String>) -> Value {
    json!(map.iter().collect::<BTreeMap<_, _>>())
}

fn container(container: &NetworkContainer) -> Value {
    json!({
        "Name": container.name,
        "EndpointID": container.endpoint_id,
        "MacAddress": container.mac_address,
        "IPv4Address": container.ipv4_address,
        "IPv6Address": container.ipv6_address,
    })
}
