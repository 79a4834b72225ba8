//! Which names a container knows, by moby's rules: its own names for others first, then what the others on its networks are
//! called, then the same with a network behind the last dot.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::{Endpoint, State};

/// What is known of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known {
    /// Whose it is.
    Addresses(Vec<IpAddr>),
    /// Nobody's here.
    Nothing,
}

impl State {
    /// The addresses of a name, as a container knows it.
    pub(super) fn resolve(&self, container: &str, name: &str) -> Known {
        let Some(held) = self.sandboxes.get(container) else { return Known::Nothing };
        let places = &held.sandbox.endpoints;
        let dots = name.rmatch_indices('.').map(|(at, _)| (&name[..at], Some(&name[at + 1..])));
        let found = std::iter::once((name, None)).chain(dots).find_map(|(name, network)| {
            let places = || places.iter().filter(|place| network.is_none_or(|it| is_same(it, &place.network_name)));
            let linked = |place: &&Endpoint| place.links.iter().find(|(known, _)| is_same(known, name)).cloned();
            let by_link = places().find_map(|place| self.named(&place.network, &linked(&place)?.1));
            by_link.or_else(|| {
                let mut others = places().filter(|place| linked(place).is_none());
                others.find_map(|place| self.named(&place.network, name))
            })
        });
        found.map_or(Known::Nothing, Known::Addresses)
    }

    /// The addresses of all that have a name on a network.
    fn named(&self, network: &str, name: &str) -> Option<Vec<IpAddr>> {
        let has_it = |endpoint: &&Endpoint| endpoint.names.iter().any(|known| is_same(known, name));
        let found = self.endpoints_on(network).map(|(_, endpoint)| endpoint).filter(has_it);
        let addresses: Vec<IpAddr> = found.flat_map(Endpoint::addresses).collect();
        (!addresses.is_empty()).then_some(addresses)
    }

    /// Who has an address, as a container knows it: "name.network".
    pub(super) fn reverse(&self, container: &str, address: IpAddr) -> Option<String> {
        let held = self.sandboxes.get(container)?;
        held.sandbox.endpoints.iter().find_map(|place| {
            let mut on_it = self.endpoints_on(&place.network);
            let (_, endpoint) = on_it.find(|(_, endpoint)| endpoint.addresses().any(|one| one == address))?;
            Some(format!("{}.{}", endpoint.names.first()?, place.network_name))
        })
    }
}

fn is_same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// The address that a name for asking backwards stands for.
pub(super) fn backwards(name: &str) -> Option<IpAddr> {
    let name = name.to_ascii_lowercase();
    if let Some(octets) = name.strip_suffix(".in-addr.arpa") {
        let octets: Vec<&str> = octets.rsplit('.').collect();
        return octets.join(".").parse::<Ipv4Addr>().ok().map(IpAddr::V4);
    }
    let nibbles: Vec<&str> = name.strip_suffix(".ip6.arpa")?.rsplit('.').collect();
    let is_nibble = |digit: &&str| digit.len() == 1 && digit.bytes().all(|byte| byte.is_ascii_hexdigit());
    if nibbles.len() != 32 || !nibbles.iter().all(is_nibble) {
        return None;
    }
    u128::from_str_radix(&nibbles.concat(), 16).ok().map(|number| Ipv6Addr::from(number).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_for_asking_backwards_are_read() {
        let nibbles = format!("2.{}d.f.ip6.arpa", "0.".repeat(29));
        assert_eq!(backwards("7.0.60.10.in-addr.arpa"), Some("10.60.0.7".parse().unwrap()));
        assert_eq!(backwards(&nibbles), Some("fd00::2".parse().unwrap()));
        for wrong in ["7.0.60.in-addr.arpa", "x.in-addr.arpa", "2.ip6.arpa", "db", "", ".in-addr.arpa"] {
            assert_eq!(backwards(wrong), None, "{wrong}");
        }
    }
}
