//! A subnet of either family. Pure.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use serde::{Deserialize, Serialize};

/// Addresses that have their first bits in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Subnet {
    /// Its first address.
    pub base: IpAddr,
    /// How many bits all its addresses have in common.
    pub prefix: u8,
}

impl Subnet {
    /// An IPv4 subnet.
    #[must_use]
    pub const fn v4(base: Ipv4Addr, prefix: u8) -> Self {
        Self { base: IpAddr::V4(base), prefix }
    }

    /// An IPv6 subnet.
    #[must_use]
    pub const fn v6(base: Ipv6Addr, prefix: u8) -> Self {
        Self { base: IpAddr::V6(base), prefix }
    }

    /// Reads "10.0.0.0/8", or an address within with its prefix; nothing if it is neither.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (base, prefix) = text.split_once('/')?;
        let (base, prefix): (IpAddr, u8) = (base.parse().ok()?, prefix.parse().ok()?);
        (prefix <= bits(base)).then_some(Self { base, prefix })
    }

    /// The same with its first address where another one of it stands.
    #[must_use]
    pub fn masked(self) -> Self {
        Self { base: address(self.is_ipv4(), number(self.base) & !self.host_mask()), prefix: self.prefix }
    }

    /// Which family it is of.
    #[must_use]
    pub fn is_ipv4(self) -> bool {
        self.base.is_ipv4()
    }

    /// Whether an address is one of it.
    #[must_use]
    pub fn contains(self, other: IpAddr) -> bool {
        self.is_ipv4() == other.is_ipv4() && number(other) & !self.host_mask() == number(self.base)
    }

    /// Whether the two have an address in common.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.base) || other.contains(self.base)
    }

    /// The last address; of IPv4 the one that reaches all.
    #[must_use]
    pub fn last(self) -> IpAddr {
        address(self.is_ipv4(), number(self.base) | self.host_mask())
    }

    /// The first address that a host can have.
    #[must_use]
    pub fn first_host(self) -> IpAddr {
        let has_more = self.prefix < bits(self.base);
        address(self.is_ipv4(), number(self.base) + u128::from(has_more))
    }

    /// The `index`th of the subnets of this size that it consists of.
    #[must_use]
    pub fn nth(self, prefix: u8, index: u128) -> Self {
        let step = u32::from(bits(self.base) - prefix);
        Self { base: address(self.is_ipv4(), number(self.base) + (index << step)), prefix }
    }

    fn host_mask(self) -> u128 {
        let host_bits = u32::from(bits(self.base).saturating_sub(self.prefix));
        1_u128.checked_shl(host_bits).unwrap_or(0).wrapping_sub(1)
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

fn bits(of: IpAddr) -> u8 {
    if of.is_ipv4() { 32 } else { 128 }
}

/// An address as a number.
pub(super) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// A number as an address. One that does not fit into IPv4 loses its first bits.
pub(super) fn address(is_ipv4: bool, number: u128) -> IpAddr {
    match u32::try_from(number & u128::from(u32::MAX)) {
        Ok(low) if is_ipv4 => Ipv4Addr::from(low).into(),
        _ => Ipv6Addr::from(number).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        Subnet::parse(text).unwrap()
    }

    #[test]
    fn both_families_are_read_and_written() {
        for text in ["10.0.0.0/8", "0.0.0.0/0", "fd00:1::/64", "::/0", "10.0.0.7/32"] {
            assert_eq!(subnet(text).to_string(), text);
            assert_eq!(subnet(text).masked(), subnet(text), "{text}");
        }
        for text in ["10.0.0.0", "10.0.0.0/33", "fd00::/129", "x/8", "10.0.0/8", "10.0.0.0/"] {
            assert_eq!(Subnet::parse(text), None, "{text}");
        }
        assert_eq!(subnet("10.1.2.3/16").masked().to_string(), "10.1.0.0/16");
        assert_eq!(subnet("fd00::5/64").masked().to_string(), "fd00::/64");
    }

    #[test]
    fn what_lies_within_and_what_overlaps_is_known() {
        let net = subnet("10.1.0.0/16");
        assert!(net.contains("10.1.255.255".parse().unwrap()) && !net.contains("10.2.0.0".parse().unwrap()));
        assert!(!net.contains("::ffff:10.1.0.1".parse().unwrap()));
        for (other, overlaps) in
            [("10.1.3.0/24", true), ("10.0.0.0/8", true), ("10.2.0.0/16", false), ("0.0.0.0/0", true), ("::/0", false)]
        {
            assert_eq!((net.overlaps(subnet(other)), subnet(other).overlaps(net)), (overlaps, overlaps), "{other}");
        }
    }

    #[test]
    fn first_and_last_addresses_are_those_of_the_family() {
        let ends = |text: &str| (subnet(text).first_host().to_string(), subnet(text).last().to_string());
        assert_eq!(ends("10.0.0.8/29"), ("10.0.0.9".into(), "10.0.0.15".into()));
        assert_eq!(ends("10.0.0.8/32"), ("10.0.0.8".into(), "10.0.0.8".into()));
        assert_eq!(ends("fd00::/64"), ("fd00::1".into(), "fd00::ffff:ffff:ffff:ffff".into()));
        assert_eq!(ends("0.0.0.0/0"), ("0.0.0.1".into(), "255.255.255.255".into()));
        assert_eq!(subnet("192.168.0.0/16").nth(20, 3).to_string(), "192.168.48.0/20");
        assert_eq!(subnet("fd00::/48").nth(64, 2).to_string(), "fd00:0:0:2::/64");
    }
}
