//! Which addresses of a subnet are taken. Pure.

use std::{collections::BTreeSet, net::IpAddr};

use super::{
    record::Pool,
    subnet::{Subnet, address, number},
};

/// The addresses of one subnet of a network.
#[derive(Debug)]
pub(super) struct Addresses {
    subnet: Subnet,
    /// What is given away by itself.
    range: Subnet,
    taken: BTreeSet<u128>,
}

impl Addresses {
    /// Those of a pool: neither its gateway nor what is reserved nor an address that stands for many is given away.
    pub(super) fn new(pool: &Pool) -> Self {
        let (subnet, gateway) = (pool.subnet, pool.gateway());
        let reserved = pool.reserved.values().copied().chain([subnet.base, gateway]);
        let mut taken: BTreeSet<u128> = reserved.map(number).collect();
        if subnet.is_ipv4() {
            taken.insert(number(subnet.last()));
        }
        Self { subnet, range: pool.range.unwrap_or(subnet), taken }
    }

    /// The lowest free one, as dockerd gives it; nothing when all are taken.
    pub(super) fn take(&mut self) -> Option<IpAddr> {
        let (first, last) = (number(self.range.base), number(self.range.last()));
        let mut free = first;
        for taken in self.taken.range(first..) {
            if *taken != free {
                break;
            }
            free += 1;
        }
        (free <= last).then(|| {
            self.taken.insert(free);
            address(self.subnet.is_ipv4(), free)
        })
    }

    /// A certain one; says whether it was free.
    pub(super) fn claim(&mut self, address: IpAddr) -> bool {
        self.taken.insert(number(address))
    }

    /// Nobody has it any more.
    pub(super) fn give_back(&mut self, address: IpAddr) {
        self.taken.remove(&number(address));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(subnet: &str) -> Pool {
        Pool::chosen(Subnet::parse(subnet).unwrap())
    }

    fn all(addresses: &mut Addresses) -> Vec<String> {
        std::iter::from_fn(|| addresses.take()).map(|address| address.to_string()).collect()
    }

    #[test]
    fn the_lowest_free_address_comes_first() {
        let mut addresses = Addresses::new(&pool("10.0.0.8/29"));
        let mut take = || addresses.take().map(|address| address.to_string()).unwrap_or_default();
        assert_eq!([take(), take(), take()], ["10.0.0.10", "10.0.0.11", "10.0.0.12"]);
        addresses.give_back("10.0.0.11".parse().unwrap());
        assert_eq!(all(&mut addresses), ["10.0.0.11", "10.0.0.13", "10.0.0.14"]);
    }

    #[test]
    fn what_is_reserved_or_taken_is_not_given_away() {
        let mut pool = pool("10.0.0.0/29");
        pool.gateway = Some("10.0.0.5".parse().unwrap());
        pool.reserved.insert("router".into(), "10.0.0.2".parse().unwrap());
        let mut addresses = Addresses::new(&pool);
        assert!(addresses.claim("10.0.0.3".parse().unwrap()));
        assert!(!addresses.claim("10.0.0.3".parse().unwrap()) && !addresses.claim("10.0.0.2".parse().unwrap()));
        assert_eq!(all(&mut addresses), ["10.0.0.1", "10.0.0.4", "10.0.0.6"]);
    }

    #[test]
    fn a_range_bounds_what_comes_by_itself_and_starts_with_the_gateway() {
        let mut pool = pool("10.0.0.0/16");
        (pool.range, pool.gateway) = (Subnet::parse("10.0.8.0/30"), None);
        let mut addresses = Addresses::new(&pool);
        assert_eq!(pool.gateway().to_string(), "10.0.8.0");
        assert_eq!(all(&mut addresses), ["10.0.8.1", "10.0.8.2", "10.0.8.3"]);
        assert!(addresses.claim("10.0.3.3".parse().unwrap()), "one of one's own may lie anywhere in the subnet");
    }

    #[test]
    fn ipv6_has_no_address_that_reaches_all() {
        let mut addresses = Addresses::new(&pool("fd00::/126"));
        assert_eq!(all(&mut addresses), ["fd00::2", "fd00::3"]);
        assert_eq!(all(&mut Addresses::new(&pool("10.0.0.0/32"))), Vec::<String>::new());
    }
}
