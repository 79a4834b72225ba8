//! Choosing a subnet for who asks for none: dockerd's pools in dockerd's order, and what is free of them. Pure.

use std::net::{Ipv4Addr, Ipv6Addr};

use sha2::{Digest, Sha256};

use super::subnet::Subnet;

/// A pool, and the size of the subnets that it is cut into.
const IPV4: [(Subnet, u8); 7] = [
    (Subnet::v4(Ipv4Addr::new(172, 17, 0, 0), 16), 16),
    (Subnet::v4(Ipv4Addr::new(172, 18, 0, 0), 16), 16),
    (Subnet::v4(Ipv4Addr::new(172, 19, 0, 0), 16), 16),
    (Subnet::v4(Ipv4Addr::new(172, 20, 0, 0), 14), 16),
    (Subnet::v4(Ipv4Addr::new(172, 24, 0, 0), 14), 16),
    (Subnet::v4(Ipv4Addr::new(172, 28, 0, 0), 14), 16),
    (Subnet::v4(Ipv4Addr::new(192, 168, 0, 0), 16), 20),
];

/// RFC 4193 gives everybody a /48 of their own, which holds as many subnets.
const IPV6_SUBNETS: u128 = 1 << 16;

/// The first subnet of IPv4 that is nobody's.
pub(super) fn ipv4(used: &[Subnet]) -> Option<Subnet> {
    let subnets = IPV4.iter().flat_map(|(pool, size)| (0..1_u128 << (size - pool.prefix)).map(|n| pool.nth(*size, n)));
    free(subnets, used)
}

/// The first subnet of IPv6 that is nobody's, of the engine's own unique local addresses.
pub(super) fn ipv6(engine: &str, used: &[Subnet]) -> Option<Subnet> {
    let own = unique_local(engine);
    free((0..IPV6_SUBNETS).map(|n| own.nth(64, n)), used)
}

fn free(mut subnets: impl Iterator<Item = Subnet>, used: &[Subnet]) -> Option<Subnet> {
    subnets.find(|subnet| !used.iter().any(|used| used.overlaps(*subnet)))
}

/// The /48 of RFC 4193 that belongs to this engine: the same as long as it has its data.
fn unique_local(engine: &str) -> Subnet {
    let digest = Sha256::digest(engine.as_bytes());
    let mut octets = [0; 16];
    octets[0] = 0xfd;
    octets[1..6].copy_from_slice(&digest[..5]);
    Subnet::v6(Ipv6Addr::from(octets), 48)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets_come_in_dockerds_order_and_never_twice() {
        let mut used = Vec::new();
        while let Some(next) = ipv4(&used) {
            used.push(next);
        }
        let text: Vec<String> = used.iter().map(Subnet::to_string).collect();
        assert_eq!(text[..4], ["172.17.0.0/16", "172.18.0.0/16", "172.19.0.0/16", "172.20.0.0/16"]);
        assert_eq!(text[14..17], ["172.31.0.0/16", "192.168.0.0/20", "192.168.16.0/20"]);
        assert_eq!(text.len(), 31);
        assert_eq!(ipv4(&[Subnet::parse("172.16.0.0/12").unwrap()]).unwrap().to_string(), "192.168.0.0/20");
    }

    #[test]
    fn each_engine_has_local_addresses_of_its_own() {
        let first = ipv6("engine", &[]).unwrap();
        let second = ipv6("engine", &[first]).unwrap();
        assert_eq!((first.prefix, second.prefix, first.overlaps(second)), (64, 64, false));
        assert!(first.to_string().starts_with("fd"), "{first}");
        assert_ne!(ipv6("other", &[]), Some(first));
    }
}
