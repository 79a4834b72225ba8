//! Addresses of the way out itself, as Docker Desktop has them: a subnet that no network of containers is given.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::subnet::Subnet;

/// Where the guest and what it stands for have their addresses.
pub(in super::super) const SUBNET_V4: Subnet = Subnet::v4(Ipv4Addr::new(192, 168, 65, 0), 24);
/// The same of IPv6: a unique local one.
pub(in super::super) const SUBNET_V6: Subnet = Subnet::v6(Ipv6Addr::new(0xfdc4, 0xf303, 0x9324, 0, 0, 0, 0, 0), 64);

/// The engine's host: its loopback.
const HOST: u8 = 254;
/// Who answers questions for names of those that have no name server in their own network.
const NAME_SERVER: u8 = 7;
/// The guest's own.
const GUEST: u8 = 3;

/// What containers call the engine's host.
pub(in super::super) const HOST_NAMES: [&str; 2] = ["host.docker.internal", "gateway.docker.internal"];

fn numbered(is_ipv4: bool, last: u8) -> IpAddr {
    match (is_ipv4, SUBNET_V4.base, SUBNET_V6.base) {
        (true, IpAddr::V4(base), _) => Ipv4Addr::from(u32::from(base) | u32::from(last)).into(),
        // As Docker Desktop writes them: the digits of the other, read as hexadecimal ones.
        (_, _, base) => {
            let digits = u16::from_str_radix(&last.to_string(), 16).unwrap_or_default();
            let base = if let IpAddr::V6(base) = base { u128::from(base) } else { 0 };
            Ipv6Addr::from(base | u128::from(digits)).into()
        }
    }
}

/// Where the engine's host is for containers: what goes there goes to the host's loopback.
#[must_use]
pub fn of_host(is_ipv4: bool) -> IpAddr {
    numbered(is_ipv4, HOST)
}

/// Where names are asked for without a name server in the container's own network.
#[must_use]
pub fn of_name_server() -> IpAddr {
    numbered(true, NAME_SERVER)
}

pub(super) fn of_guest(is_ipv4: bool) -> IpAddr {
    numbered(is_ipv4, GUEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_docker_desktop() {
        let host = [true, false].map(|is_ipv4| of_host(is_ipv4).to_string());
        assert_eq!(host, ["192.168.65.254", "fdc4:f303:9324::254"]);
        assert_eq!(of_name_server().to_string(), "192.168.65.7");
        assert!(SUBNET_V4.contains(of_guest(true)) && SUBNET_V6.contains(of_guest(false)));
    }
}
