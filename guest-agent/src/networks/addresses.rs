//! The addresses of the default bridge: which are taken, and which is next.

use std::{collections::BTreeSet, net::Ipv4Addr};

/// dockerd's first pool.
pub const SUBNET: Ipv4Addr = Ipv4Addr::new(172, 17, 0, 0);
/// Bits of an address that are the network's.
pub const PREFIX_LENGTH: u8 = 16;
/// The address of the bridge itself.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 17, 0, 1);
/// All containers at once.
pub(super) const BROADCAST: Ipv4Addr = Ipv4Addr::new(172, 17, 255, 255);

/// The addresses that somebody has.
#[derive(Debug, Default)]
pub(super) struct Addresses(BTreeSet<u32>);

impl Addresses {
    /// The lowest address that nobody has, as dockerd gives them out; `None` when all are taken.
    pub(super) fn lowest_free(&self) -> Option<Ipv4Addr> {
        let mut next = GATEWAY.to_bits() + 1;
        for taken in &self.0 {
            if *taken != next {
                break;
            }
            next += 1;
        }
        (next < BROADCAST.to_bits()).then(|| Ipv4Addr::from_bits(next))
    }

    /// Takes the lowest address that nobody has.
    pub(super) fn take_lowest(&mut self) -> Option<Ipv4Addr> {
        let address = self.lowest_free()?;
        self.take(address);
        Some(address)
    }

    /// Takes this address. One outside of the network counts for nothing.
    pub(super) fn take(&mut self, address: Ipv4Addr) {
        if (GATEWAY.to_bits() + 1..BROADCAST.to_bits()).contains(&address.to_bits()) {
            self.0.insert(address.to_bits());
        }
    }

    /// Nobody has it any more.
    pub(super) fn give_back(&mut self, address: Ipv4Addr) {
        self.0.remove(&address.to_bits());
    }
}

/// The MAC address that goes with an address, as dockerd long made them: who gets the address of another gets what its
/// neighbours remember as well.
#[must_use]
pub fn mac(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [0x02, 0x42, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_address_is_next() {
        let mut addresses = Addresses::default();
        let taken: Vec<String> = (0..3).map(|_| addresses.take_lowest().unwrap().to_string()).collect();
        assert_eq!(taken, ["172.17.0.2", "172.17.0.3", "172.17.0.4"]);
        addresses.give_back(Ipv4Addr::new(172, 17, 0, 3));
        assert_eq!(addresses.lowest_free(), Some(Ipv4Addr::new(172, 17, 0, 3)));
        addresses.take(Ipv4Addr::new(172, 17, 0, 3));
        assert_eq!(addresses.lowest_free(), Some(Ipv4Addr::new(172, 17, 0, 5)));
    }

    #[test]
    fn neither_the_gateway_nor_the_broadcast_address_is_anybodys() {
        let mut addresses = Addresses::default();
        for not_theirs in [SUBNET, GATEWAY, BROADCAST, Ipv4Addr::LOCALHOST] {
            addresses.take(not_theirs);
        }
        assert_eq!(addresses.take_lowest(), Some(Ipv4Addr::new(172, 17, 0, 2)));
        (SUBNET.to_bits()..BROADCAST.to_bits() - 1).for_each(|bits| addresses.take(Ipv4Addr::from_bits(bits)));
        assert_eq!(addresses.take_lowest(), Some(Ipv4Addr::new(172, 17, 255, 254)));
        assert_eq!((addresses.take_lowest(), addresses.0.len()), (None, 65_533));
    }

    #[test]
    fn an_address_makes_a_mac_address() {
        assert_eq!(mac(Ipv4Addr::new(172, 17, 0, 2)), [0x02, 0x42, 0xac, 0x11, 0x00, 0x02]);
    }
}
