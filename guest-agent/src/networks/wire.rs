//! The kernel's half of a container's places: a link with its addresses for each, and the way out.

use std::{
    io,
    net::IpAddr,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use super::{
    Endpoint, NetworksError, Record, bridge, gateway,
    namespace::{self, Ready},
    netlink::{Netlink, Port, Veth},
};

/// A place that is to be made true.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) endpoint: Endpoint,
    pub(super) record: Arc<Record>,
    /// The bridge's index.
    pub(super) bridge: u32,
}

impl Place {
    fn port(&self) -> Port {
        bridge::port(&self.record, self.bridge)
    }

    fn failed(&self) -> impl FnOnce(io::Error) -> NetworksError + use<> {
        let device = self.record.device();
        |source| NetworksError::Link(device, source)
    }
}

/// Makes the places of a container that starts, in a namespace that is ready, and says their links' names. The ready link
/// becomes the first one.
pub(super) fn start(ready: Ready, places: &mut [Place]) -> Result<OwnedFd, NetworksError> {
    let Ready { namespace, link, inside, index, bridge } = ready;
    let Some((first, others)) = places.split_first_mut() else { return Ok(namespace) };
    first.endpoint.link = link;
    let port = first.port();
    let is_there = port.bridge == bridge && !port.isolated && port.mtu == namespace::MTU;
    let moved = if is_there { Ok(()) } else { Netlink::open().and_then(|it| it.set_port(&first.endpoint.link, port)) };
    moved.map_err(first.failed())?;
    if first.record.ipv6 {
        let interface = &first.endpoint.interface;
        namespace::within(&namespace, || namespace::set_ipv6(interface, true)).map_err(first.failed())?;
    }
    configure(&inside, index, first).map_err(first.failed())?;
    for place in others {
        plug(&namespace, place)?;
    }
    route(&inside, None, places.iter().collect::<Vec<_>>().as_slice()).map_err(places[0].failed())?;
    Ok(namespace)
}

/// Makes one more place in a namespace.
pub(super) fn plug(namespace: &OwnedFd, place: &mut Place) -> Result<(), NetworksError> {
    let port = place.port();
    let plugged = namespace::link_name().and_then(|link| {
        place.endpoint.link = link;
        let outside = Netlink::open()?;
        outside.add_veth(&Veth {
            name: &place.endpoint.link,
            bridge: port.bridge,
            peer: &place.endpoint.interface,
            namespace: namespace.as_fd(),
            mtu: port.mtu,
        })?;
        if port.isolated {
            outside.set_port(&place.endpoint.link, port)?;
        }
        namespace::within(namespace, || {
            namespace::set_ipv6(&place.endpoint.interface, place.record.ipv6)?;
            let inside = Netlink::open()?;
            configure(&inside, Netlink::index(&place.endpoint.interface)?, place)
        })
    });
    plugged.map_err(|source| {
        unplug(&place.endpoint);
        place.failed()(source)
    })
}

/// Removes a link, both ends of it.
pub(super) fn unplug(endpoint: &Endpoint) {
    if endpoint.link.is_empty() {
        return;
    }
    match Netlink::open().and_then(|outside| outside.remove(&endpoint.link)) {
        Ok(()) => {}
        // The namespace may have taken it along when its last process ended.
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => {}
        Err(error) => tracing::warn!(link = %endpoint.link, %error, "a link stays behind"),
    }
}

fn configure(inside: &Netlink, index: u32, place: &Place) -> io::Result<()> {
    let mtu = place.record.mtu();
    inside.bring_up(index, place.endpoint.hardware, (mtu != namespace::MTU).then_some(mtu))?;
    for address in place.endpoint.addresses() {
        let Some(pool) = place.record.pool(address.is_ipv4()) else { continue };
        inside.add_address(index, address, pool.subnet)?;
    }
    Ok(())
}

/// Where a container's way out is, of each family: on the network of the highest priority, of several on the one whose
/// name comes first.
pub(super) fn ways_out(places: &[&Place]) -> [Option<IpAddr>; 2] {
    let mut order = places.to_vec();
    order.sort_by(|one, other| {
        let priority = other.endpoint.priority.cmp(&one.endpoint.priority);
        priority.then_with(|| one.record.name.cmp(&other.record.name))
    });
    [true, false].map(|is_ipv4| order.iter().find_map(|place| gateway(&place.record, is_ipv4)))
}

/// Leads out of `before` no more, and out of `after`.
pub(super) fn route(inside: &Netlink, before: Option<[Option<IpAddr>; 2]>, after: &[&Place]) -> io::Result<()> {
    let ways = ways_out(after);
    for (old, new) in before.unwrap_or_default().into_iter().zip(ways) {
        if old == new {
            continue;
        }
        if let Some(old) = old {
            // It went with its link, or the container removed it.
            let _ = inside.remove_default_route(old);
        }
        if let Some(new) = new {
            inside.add_default_route(new)?;
        }
    }
    Ok(())
}

/// The same in a namespace that is in use.
pub(super) fn reroute(namespace: &OwnedFd, before: &[&Place], after: &[&Place]) -> io::Result<()> {
    let before = ways_out(before);
    if before == ways_out(after) {
        return Ok(());
    }
    namespace::within(namespace, || route(&Netlink::open()?, Some(before), after))
}
