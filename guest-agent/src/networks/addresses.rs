//! Which addresses of a network are taken. Pure.

use std::{collections::BTreeSet, net::Ipv4Addr};

/// An IPv4 subnet whose first address is the gateway's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    /// Its own address.
    pub base: Ipv4Addr,
    /// Bits that all its addresses have in common.
    pub prefix: u8,
}

impl Subnet {
    /// The gateway.
    #[must_use]
    pub fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.base) + 1)
    }

    /// The last address, which reaches all.
    #[must_use]
    pub fn broadcast(self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.base) | (u32::MAX >> self.prefix))
    }
}

/// The addresses that containers have.
#[derive(Debug)]
pub(super) struct Addresses {
    subnet: Subnet,
    taken: BTreeSet<u32>,
}

impl Addresses {
    pub(super) fn new(subnet: Subnet) -> Self {
        Self { subnet, taken: BTreeSet::new() }
    }

    /// The lowest free one, as dockerd gives it; nothing when all are taken.
    pub(super) fn take(&mut self) -> Option<Ipv4Addr> {
        let (first, end) = (u32::from(self.subnet.gateway()) + 1, u32::from(self.subnet.broadcast()));
        let mut free = first;
        for taken in self.taken.range(first..) {
            if *taken != free {
                break;
            }
            free += 1;
        }
        (free < end).then(|| {
            self.taken.insert(free);
            Ipv4Addr::from(free)
        })
    }

    /// One that a container has already.
    pub(super) fn claim(&mut self, address: Ipv4Addr) {
        self.taken.insert(address.into());
    }

    /// Nobody has it any more.
    pub(super) fn give_back(&mut self, address: Ipv4Addr) {
        self.taken.remove(&address.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Subnet = Subnet { base: Ipv4Addr::new(10, 0, 0, 8), prefix: 29 };

    #[test]
    fn the_lowest_free_address_comes_first() {
        let mut addresses = Addresses::new(SMALL);
        let take = |addresses: &mut Addresses| addresses.take().map(|address| address.octets()[3]);
        assert_eq!([take(&mut addresses), take(&mut addresses), take(&mut addresses)], [Some(10), Some(11), Some(12)]);
        addresses.give_back(Ipv4Addr::new(10, 0, 0, 11));
        assert_eq!([take(&mut addresses), take(&mut addresses)], [Some(11), Some(13)]);
        addresses.give_back(Ipv4Addr::new(10, 0, 0, 10));
        assert_eq!(take(&mut addresses), Some(10));
    }

    #[test]
    fn neither_gateway_nor_broadcast_is_given_away() {
        let mut addresses = Addresses::new(SMALL);
        let all: Vec<u8> = std::iter::from_fn(|| addresses.take()).map(|address| address.octets()[3]).collect();
        assert_eq!(all, [10, 11, 12, 13, 14]);
        assert_eq!((SMALL.gateway().octets()[3], SMALL.broadcast().octets()[3]), (9, 15));
    }

    #[test]
    fn what_a_container_has_is_not_given_to_another() {
        let mut addresses = Addresses::new(SMALL);
        addresses.claim(Ipv4Addr::new(10, 0, 0, 10));
        assert_eq!(addresses.take(), Some(Ipv4Addr::new(10, 0, 0, 11)));
    }
}
