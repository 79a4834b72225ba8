//! Where this computer goes: the subnets that it reaches, directly or by a gateway. Linux writes them in files; where there
//! are none, the subnets of its own addresses are not known either, and nothing is.

use std::{
    fmt, fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
};

/// A subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Its first address.
    pub base: IpAddr,
    /// How many bits all its addresses have in common.
    pub prefix: u32,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

/// The subnets; not what leads everywhere.
#[must_use]
pub fn known() -> Vec<Route> {
    let read = |path: &str| fs::read_to_string(Path::new(path)).unwrap_or_default();
    let (ipv4, ipv6) = (read("/proc/net/route"), read("/proc/net/ipv6_route"));
    ipv4.lines().filter_map(ipv4_route).chain(ipv6.lines().filter_map(ipv6_route)).collect()
}

/// "eth0 0002A8C0 00000000 0001 0 0 0 00FFFFFF ...": destination and mask in the order of this computer's bytes.
fn ipv4_route(line: &str) -> Option<Route> {
    let number = |field: usize| u32::from_str_radix(line.split_whitespace().nth(field)?, 16).ok();
    let (base, mask) = (number(1)?, number(7)?);
    (mask != 0).then(|| Route { base: Ipv4Addr::from(base.to_ne_bytes()).into(), prefix: mask.count_ones() })
}

/// "fd000000000000000000000000000000 40 ...": destination and its prefix.
fn ipv6_route(line: &str) -> Option<Route> {
    /// Host routes, link-local and multicast ones are everybody's.
    const OWN: u32 = 128;
    let mut fields = line.split_whitespace();
    let base = Ipv6Addr::from(u128::from_str_radix(fields.next()?, 16).ok()?);
    let prefix = u32::from_str_radix(fields.next()?, 16).ok()?;
    let is_everybodys = base.is_unicast_link_local() || base.is_multicast() || prefix == 0 || prefix == OWN;
    (!is_everybodys).then_some(Route { base: base.into(), prefix })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_read_and_what_leads_everywhere_is_none() {
        let base = format!("{:08X}", u32::from_ne_bytes([192, 168, 2, 0]));
        let mask = format!("{:08X}", u32::from_ne_bytes([255, 255, 255, 0]));
        let line = format!("eth0\t{base}\t00000000\t0001\t0\t0\t0\t{mask}\t0\t0\t0");
        assert_eq!(ipv4_route(&line).unwrap().to_string(), "192.168.2.0/24");
        assert_eq!(ipv4_route("eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0"), None);
        assert_eq!(ipv4_route("Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask"), None);
        let six = |base: &str, prefix: &str| ipv6_route(&format!("{base} {prefix} {base} 00 0 0 0 0 0 eth0"));
        let own = "fd000000000000000000000000000000";
        assert_eq!(six(own, "40").unwrap().to_string(), "fd00::/64");
        assert_eq!((six(own, "80"), six("fe800000000000000000000000000000", "40")), (None, None));
        assert_eq!((six(&"0".repeat(32), "00"), six("ff000000000000000000000000000000", "08")), (None, None));
    }
}
