//! The guest's end: the bridge docker0, on which the containers' links are. Nothing of the agent listens at its address,
//! and nothing is forwarded from it.

use std::{fs, io, path::Path};

use nix::net::if_::if_nametoindex;

use super::{
    NetworksError,
    addresses::{GATEWAY, mac},
    netlink::{self, Netlink},
};

/// Its name, as dockerd has it.
pub(super) const NAME: &str = "docker0";

/// Links that are made from now on have no IPv6: as with dockerd, the bridge has none, and a guest that answered on it
/// would have one more way in.
const NO_IPV6: &str = "/proc/sys/net/ipv6/conf/default/disable_ipv6";

/// Makes the bridge, or what is missing of it.
pub(super) fn make() -> Result<(), NetworksError> {
    let doing = |step| move |source| NetworksError::Bridge { step, source };
    if Path::new(NO_IPV6).exists() {
        fs::write(NO_IPV6, "1").map_err(doing("keep IPv6 off it"))?;
    }
    let mut netlink = Netlink::open().map_err(doing("open a netlink socket"))?;
    match netlink.ask(netlink::make_bridge(NAME, mac(GATEWAY))) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made.map_err(doing("make it"))?,
    }
    let index = if_nametoindex(NAME).map_err(|errno| doing("find it")(errno.into()))?;
    netlink.ask(netlink::give_address(index, GATEWAY)).map_err(doing("give it its address"))?;
    netlink.ask(netlink::bring_up(index)).map_err(doing("bring it up"))
}
