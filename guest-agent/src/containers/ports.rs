//! Which ports of the host a container is to have.

use std::collections::BTreeSet;

use cove_proto::v1::{ContainerSpec, PortProtocol, PortRequest};

use super::{ContainersError, actor::Actor};

impl Actor {
    /// Has the host open the ports of a container that starts.
    pub(super) async fn publish_ports(&self) -> Result<(), ContainersError> {
        let (record, networks) = (&self.record, &self.engine.networks);
        Ok(networks.publish(&record.id, &record.name, &wanted(&record.spec)).await?)
    }
}

/// What was asked for, and with it, if all are to be published, what is exposed and has no port of the host.
fn wanted(spec: &ContainerSpec) -> Vec<PortRequest> {
    let mut wanted = spec.port_bindings.clone();
    let key = |request: &PortRequest| (request.protocol() == PortProtocol::Udp, request.container_port);
    let bound: BTreeSet<(bool, u32)> = wanted.iter().map(key).collect();
    if spec.publish_all_ports {
        let exposed: BTreeSet<(bool, u32)> = spec.exposed_ports.iter().flat_map(|port| exposed(port)).collect();
        wanted.extend(exposed.difference(&bound).map(|(is_udp, container_port)| {
            let protocol = if *is_udp { PortProtocol::Udp } else { PortProtocol::Tcp };
            PortRequest { protocol: protocol.into(), container_port: *container_port, ..PortRequest::default() }
        }));
    }
    wanted
}

/// "80", "80/tcp", "80-90/udp": whether it is UDP's, and each number.
fn exposed(port: &str) -> impl Iterator<Item = (bool, u32)> + use<> {
    let (numbers, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
    let is_udp = protocol.eq_ignore_ascii_case("udp");
    let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
    let number = |text: &str| text.parse::<u16>().ok().map(u32::from);
    let range = number(first).zip(number(last)).filter(|_| is_udp || protocol.eq_ignore_ascii_case("tcp"));
    range.into_iter().flat_map(|(first, last)| first..=last).map(move |number| (is_udp, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_exposed_and_not_bound_gets_any_port_if_all_are_to_be_published() {
        let bound = PortRequest { container_port: 80, host_port: 8080, host_port_end: 8080, ..PortRequest::default() };
        let exposed = ["80/tcp", "53/udp", "90-91", "9/sctp", "x/tcp"].map(str::to_owned).to_vec();
        let spec = |publish_all_ports| ContainerSpec {
            port_bindings: vec![bound.clone()],
            exposed_ports: exposed.clone(),
            publish_all_ports,
            ..ContainerSpec::default()
        };
        assert_eq!(wanted(&spec(false)), std::slice::from_ref(&bound));
        let all: Vec<_> =
            wanted(&spec(true)).iter().map(|one| (one.protocol(), one.container_port, one.host_port)).collect();
        let tcp = |port| (PortProtocol::Tcp, port, 0);
        assert_eq!(all[1..], [tcp(90), tcp(91), (PortProtocol::Udp, 53, 0)]);
    }
}
