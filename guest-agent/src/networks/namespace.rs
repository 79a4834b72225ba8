//! A container's end: a namespace with loopback, and eth0 with its address and the way to the gateway.
//!
//! It is made by a thread that moves into it and then ends: until a container joins, the descriptor alone keeps it, and
//! whatever fails takes it away again, with the link in it.

use std::{fs, io, net::Ipv4Addr, os::fd::AsRawFd, path::Path, sync::Arc};

use nix::{
    net::if_::if_nametoindex,
    sched::{CloneFlags, unshare},
};

use super::{
    NetworksError,
    addresses::mac,
    bridge,
    netlink::{self, ETH0, LOOPBACK, Netlink},
    wires::Ready,
};
use crate::names;

/// What Docker's containers may do in a network of their own: ports below 1024 and pings for all users.
const SETTINGS: [(&str, &str); 2] = [("ip_unprivileged_port_start", "0"), ("ping_group_range", "0 2147483647")];

/// As with dockerd, a container on a network without IPv6 has it on loopback alone.
const NO_IPV6: &str = "/proc/sys/net/ipv6/conf/eth0/disable_ipv6";

/// Makes one.
pub(super) fn make(address: Ipv4Addr) -> Result<Ready, NetworksError> {
    let thread = std::thread::Builder::new().name(format!("netns {address}"));
    let made = thread.spawn(move || in_new_namespace(address)).map_err(NetworksError::Thread)?.join();
    let broke = || Failed { step: "the thread broke", source: io::ErrorKind::Other.into() };
    made.unwrap_or_else(|_| Err(broke())).map_err(|Failed { step, source }| NetworksError::Namespace {
        address,
        step,
        source,
    })
}

/// A step, and what the kernel says to it.
struct Failed {
    step: &'static str,
    source: io::Error,
}

fn in_new_namespace(address: Ipv4Addr) -> Result<Ready, Failed> {
    let doing = |step| move |source| Failed { step, source };
    let id = names::new_id().map_err(|error| doing("find a name for its link")(io::Error::other(error)))?;
    // As dockerd names them.
    let link = format!("veth{}", &id[..7]);
    let bridge = if_nametoindex(bridge::NAME).map_err(|errno| doing("find the bridge")(errno.into()))?;
    let mut guest = Netlink::open().map_err(doing("open a netlink socket"))?;
    unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| doing("make it")(errno.into()))?;
    let namespace = fs::File::open("/proc/thread-self/ns/net").map_err(doing("open it"))?;
    for (name, value) in SETTINGS {
        fs::write(Path::new("/proc/sys/net/ipv4").join(name), value).map_err(doing(name))?;
    }
    guest
        .ask(netlink::make_link(&link, bridge, namespace.as_raw_fd(), mac(address)))
        .map_err(doing("make its link to the bridge"))?;
    if Path::new(NO_IPV6).exists() {
        fs::write(NO_IPV6, "1").map_err(doing("keep IPv6 off eth0"))?;
    }
    let mut inside = Netlink::open().map_err(doing("open a netlink socket in it"))?;
    inside.ask(netlink::bring_up(LOOPBACK)).map_err(doing("bring up loopback"))?;
    inside.ask(netlink::give_address(ETH0, address)).map_err(doing("give eth0 its address"))?;
    inside.ask(netlink::bring_up(ETH0)).map_err(doing("bring up eth0"))?;
    inside.ask(netlink::default_route(ETH0)).map_err(doing("set the default route"))?;
    Ok(Ready { link, namespace: Arc::new(namespace.into()) })
}
