//! Ports: what was asked for, what is exposed, what is open.

use std::collections::{BTreeMap, BTreeSet};

use cove_proto::v1::{Container, ContainerSpec, PortProtocol, PortRequest, PublishedPort};
use serde_json::{Map, Value, json};

/// `HostConfig.PortBindings`.
pub(super) fn bindings(spec: &ContainerSpec) -> Value {
    let mut all: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for request in &spec.port_bindings {
        let key = key(request.container_port, request.protocol());
        all.entry(key).or_default().push(json!({"HostIp": request.host_ip, "HostPort": host_port(request)}));
    }
    json!(all)
}

fn host_port(request: &PortRequest) -> String {
    match (request.host_port, request.host_port_end) {
        (0, _) => String::new(),
        (first, last) if last > first => format!("{first}-{last}"),
        (first, _) => first.to_string(),
    }
}

/// `Config.ExposedPorts`; nothing if there is none.
pub(super) fn exposed(spec: &ContainerSpec) -> Option<Value> {
    let ports: BTreeMap<&String, Value> = spec.exposed_ports.iter().map(|port| (port, json!({}))).collect();
    (!ports.is_empty()).then(|| json!(ports))
}

/// `NetworkSettings.Ports`: what is open, and null for what is exposed alone. Nothing on networks that publish nothing.
pub(super) fn open(container: &Container) -> Value {
    let mut all: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for port in &container.ports {
        let binding = json!({"HostIp": port.host_ip, "HostPort": port.host_port.to_string()});
        all.entry(key_of(port)).or_default().push(binding);
    }
    let mut shape: BTreeMap<String, Value> = all.into_iter().map(|(port, bindings)| (port, json!(bindings))).collect();
    for port in only_exposed(container) {
        shape.entry(port).or_insert(Value::Null);
    }
    json!(shape)
}

/// `Ports` of a row of `docker ps`.
pub(super) fn row(container: &Container) -> Value {
    let published = container.ports.iter().map(|port| {
        json!({
            "IP": port.host_ip,
            "PrivatePort": port.container_port,
            "PublicPort": port.host_port,
            "Type": word(port.protocol()),
        })
    });
    let exposed = only_exposed(container).into_iter().filter_map(|port| {
        let (number, protocol) = port.split_once('/')?;
        let mut shape = Map::new();
        shape.insert("PrivatePort".to_owned(), json!(number.parse::<u16>().ok()?));
        shape.insert("Type".to_owned(), json!(protocol));
        Some(Value::Object(shape))
    });
    published.chain(exposed).collect()
}

/// What is exposed and has no port of the host, while the container runs on a network of its own.
fn only_exposed(container: &Container) -> BTreeSet<String> {
    let has_network = container.networks.iter().any(|at| !at.mac_address.is_empty());
    let open: BTreeSet<String> = container.ports.iter().map(key_of).collect();
    let exposed = container.spec.iter().flat_map(|spec| spec.exposed_ports.iter()).filter(|_| has_network);
    let named = exposed.map(|port| if port.contains('/') { port.clone() } else { format!("{port}/tcp") });
    named.filter(|port| !open.contains(port)).collect()
}

fn key_of(port: &PublishedPort) -> String {
    key(port.container_port, port.protocol())
}

fn key(port: u32, protocol: PortProtocol) -> String {
    format!("{port}/{}", word(protocol))
}

fn word(protocol: PortProtocol) -> &'static str {
    if protocol == PortProtocol::Udp { "udp" } else { "tcp" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cove_proto::v1::NetworkEndpoint;

    fn container() -> Container {
        let port = |protocol: PortProtocol, container_port, host_ip: &str, host_port| PublishedPort {
            protocol: protocol.into(),
            container_port,
            host_ip: host_ip.to_owned(),
            host_port,
        };
        let request = |first, last| PortRequest {
            protocol: PortProtocol::Tcp.into(),
            container_port: 80,
            host_ip: String::new(),
            host_port: first,
            host_port_end: last,
        };
        Container {
            spec: Some(ContainerSpec {
                exposed_ports: vec!["99".into(), "80/tcp".into()],
                port_bindings: vec![request(8080, 8080), request(0, 0), request(9000, 9010)],
                ..ContainerSpec::default()
            }),
            networks: vec![NetworkEndpoint { mac_address: "02:42:ac:11:00:02".into(), ..NetworkEndpoint::default() }],
            ports: vec![
                port(PortProtocol::Tcp, 80, "0.0.0.0", 8080),
                port(PortProtocol::Tcp, 80, "::", 8080),
                port(PortProtocol::Udp, 81, "127.0.0.1", 32768),
            ],
            ..Container::default()
        }
    }

    #[test]
    fn ports_have_dockerds_shapes() {
        let container = container();
        let spec = container.spec.as_ref().unwrap();
        let asked = ["8080", "", "9000-9010"].map(|port| json!({"HostIp": "", "HostPort": port}));
        assert_eq!(bindings(spec), json!({ "80/tcp": asked }));
        assert_eq!(exposed(spec), Some(json!({"80/tcp": {}, "99": {}})));
        assert_eq!(
            open(&container),
            json!({
                "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}],
                "81/udp": [{"HostIp": "127.0.0.1", "HostPort": "32768"}],
                "99/tcp": null,
            })
        );
        assert_eq!(
            row(&container),
            json!([
                {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
                {"IP": "::", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
                {"IP": "127.0.0.1", "PrivatePort": 81, "PublicPort": 32768, "Type": "udp"},
                {"PrivatePort": 99, "Type": "tcp"},
            ])
        );
    }

    #[test]
    fn a_container_that_does_not_run_has_no_open_ports() {
        let stopped = Container { networks: Vec::new(), ports: Vec::new(), ..container() };
        assert_eq!((open(&stopped), row(&stopped)), (json!({}), json!([])));
    }
}
