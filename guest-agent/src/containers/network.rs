//! A container's place in its network: taken for a run, told, shown.

use std::net::IpAddr;

use cove_proto::v1;

use super::{ContainersError, Engine, Record, actor::Actor};
use crate::{
    events::{Event, Kind},
    networks::{Attached, BuiltIn, GATEWAY, Lease, Networks, PREFIX_LENGTH, mac},
};

/// Takes a place in the network that its mode says; `None` when it has another container's.
pub(super) fn join(engine: &Engine, record: &Record) -> Result<Option<Attached>, ContainersError> {
    let Some(network) = BuiltIn::of_mode(&record.spec.network_mode) else { return Ok(None) };
    let attached = engine.networks.attach(&record.id, network).map_err(ContainersError::Network)?;
    engine.events.publish(event(engine, record, "connect", &attached.lease));
    Ok(Some(attached))
}

/// The address that it has got.
pub(super) fn address(attached: Option<&Attached>) -> Option<IpAddr> {
    attached?.lease.place.as_ref().map(|place| place.address.into())
}

impl Actor {
    /// Gives its place in the network back, if it has one.
    pub(super) fn leave_network(&self) {
        if let Some(lease) = self.engine.networks.detach(&self.record.id) {
            self.tell_network("disconnect", &lease);
        }
    }

    /// Tells that it is in a network, or not any more.
    pub(super) fn tell_network(&self, action: &str, lease: &Lease) {
        self.engine.events.publish(event(&self.engine, &self.record, action, lease));
    }
}

fn event(engine: &Engine, record: &Record, action: &str, lease: &Lease) -> Event {
    Event::new(Kind::Network, action, engine.networks.id(lease.network))
        .with("container", &record.id)
        .with("name", lease.network.name())
        .with("type", lease.network.driver())
}

/// Its networks, as they are shown. As with dockerd, one that has been in a network knows its id when it has left.
pub(super) fn endpoints(networks: &Networks, record: &Record, lease: Option<&Lease>) -> Vec<v1::NetworkEndpoint> {
    let Some(network) = BuiltIn::of_mode(&record.spec.network_mode) else { return Vec::new() };
    let been_there = lease.is_some() || record.state.started_at != 0;
    let mut endpoint = v1::NetworkEndpoint {
        network: network.name().to_owned(),
        network_id: if been_there { networks.id(network) } else { String::new() },
        ..Default::default()
    };
    if let Some(lease) = lease {
        fill(&mut endpoint, lease);
    }
    vec![endpoint]
}

/// Fills in what it has while it is there.
pub(crate) fn fill(endpoint: &mut v1::NetworkEndpoint, lease: &Lease) {
    endpoint.endpoint_id.clone_from(&lease.endpoint_id);
    if let Some(place) = &lease.place {
        let mac = mac(place.address).map(|byte| format!("{byte:02x}"));
        endpoint.mac_address = mac.join(":");
        endpoint.ipv4_address = place.address.to_string();
        endpoint.ipv4_prefix_length = PREFIX_LENGTH.into();
        endpoint.ipv4_gateway = GATEWAY.to_string();
    }
}
