//! A network, inspected or in a list.

use std::collections::BTreeMap;

use cove_proto::v1::Network;
use serde_json::{Map, Value, json};

use crate::timestamps;

/// All about a network.
pub(crate) fn inspected(network: &Network) -> Value {
    let members: Map<String, Value> = network
        .members
        .iter()
        .map(|member| {
            let endpoint = member.endpoint.clone().unwrap_or_default();
            let address = match endpoint.ipv4_address.as_str() {
                "" => String::new(),
                address => format!("{address}/{}", endpoint.ipv4_prefix_length),
            };
            let shape = json!({
                "Name": member.container_name,
                "EndpointID": endpoint.endpoint_id,
                "MacAddress": endpoint.mac_address,
                "IPv4Address": address,
                "IPv6Address": "",
            });
            (member.container_id.clone(), shape)
        })
        .collect();
    shape(network, Value::Object(members))
}

/// A row of the list, in which dockerd does not say who is on it.
pub(crate) fn listed(network: &Network) -> Value {
    shape(network, json!({}))
}

fn shape(network: &Network, containers: Value) -> Value {
    let subnets = network.subnets.iter().map(|subnet| json!({"Subnet": subnet.subnet, "Gateway": subnet.gateway}));
    let subnets: Vec<Value> = subnets.collect();
    let options: BTreeMap<_, _> = network.options.iter().collect();
    json!({
        "Name": network.name,
        "Id": network.id,
        "Created": timestamps::rfc3339(network.created_at.as_ref()),
        "Scope": "local",
        "Driver": network.driver,
        "EnableIPv4": true,
        "EnableIPv6": false,
        "IPAM": {
            "Driver": "default",
            "Options": null,
            "Config": if subnets.is_empty() { Value::Null } else { Value::Array(subnets) },
        },
        "Internal": false,
        "Attachable": false,
        "Ingress": false,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": false,
        "Containers": containers,
        "Options": options,
        "Labels": {},
    })
}
