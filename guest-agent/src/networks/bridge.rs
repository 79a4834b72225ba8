//! The bridge of a network, in the guest's own network.

use std::{collections::BTreeMap, io};

use super::{
    BRIDGE, DEVICE, NetworksError, Record, egress,
    endpoint::hardware_of,
    namespace,
    netlink::{Netlink, Port},
    record::options,
};

/// What dockerd says of the default bridge.
pub(super) fn default_options() -> BTreeMap<String, String> {
    let options = [
        ("com.docker.network.bridge.default_bridge", "true"),
        (options::ICC, "true"),
        ("com.docker.network.bridge.enable_ip_masquerade", "true"),
        ("com.docker.network.bridge.host_binding_ipv4", "0.0.0.0"),
        (options::DEVICE, DEVICE),
        (options::MTU, "1500"),
    ];
    options.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// The index of a network's bridge; 0 of what is none. An earlier agent of this boot may have made it.
pub(super) fn find_or_make(record: &Record) -> Result<u32, NetworksError> {
    if record.driver != BRIDGE {
        return Ok(0);
    }
    let device = record.device();
    let made = Netlink::index(&device).or_else(|_| make(record, &device));
    made.map_err(|source| NetworksError::Bridge(device, source))
}

/// Makes a bridge, or leaves nothing. One that is there under its name is not the network's.
pub(super) fn make(record: &Record, device: &str) -> io::Result<u32> {
    let netlink = Netlink::open()?;
    netlink.add_bridge(device, record.mtu())?;
    set_up(&netlink, record, device).inspect_err(|_| {
        // What cannot be removed either is found at the next attempt, and named.
        let _ = netlink.remove(device);
    })
}

fn set_up(netlink: &Netlink, record: &Record, device: &str) -> io::Result<u32> {
    let index = Netlink::index(device)?;
    namespace::set_ipv6(device, record.ipv6)?;
    for pool in [true, false].into_iter().filter_map(|is_ipv4| record.pool(is_ipv4)) {
        netlink.add_address(index, pool.gateway(), pool.subnet)?;
    }
    if !record.internal {
        netlink.set_group(index, egress::rules::GROUP)?;
    }
    // Otherwise it is the least of its links': then it changes as containers come and go, and those that have noted the
    // gateway's reach nothing for seconds.
    let hardware = record.pool(true).or_else(|| record.pool(false)).map(|pool| hardware_of(pool.gateway()));
    netlink.bring_up(index, hardware, None)?;
    Ok(index)
}

/// How links are in a network's bridge.
pub(super) fn port(record: &Record, index: u32) -> Port {
    Port { bridge: index, isolated: !record.containers_reach_each_other(), mtu: record.mtu() }
}

/// Removes the bridge of a network.
pub(super) fn remove(record: &Record) {
    let device = record.device();
    match Netlink::open().and_then(|netlink| netlink.remove(&device)) {
        Ok(()) => {}
        // A container with the guest's own network has removed it.
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => {}
        Err(error) => tracing::warn!(device, %error, "a bridge stays behind"),
    }
}
