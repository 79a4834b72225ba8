//! Where nobody gets: what is the host's alone, and what the user denies.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use super::Target;

/// Addresses that have their first bits in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    base: IpAddr,
    prefix: u8,
}

impl Block {
    const fn v4(a: u8, b: u8, prefix: u8) -> Self {
        Self { base: IpAddr::V4(Ipv4Addr::new(a, b, 0, 0)), prefix }
    }

    const fn v6(first: u16, prefix: u8) -> Self {
        Self { base: IpAddr::V6(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0)), prefix }
    }

    pub(super) fn holds(self, address: IpAddr) -> bool {
        let ((base, bits), (other, other_bits)) = (number(self.base), number(address));
        let shift = u32::from(bits.saturating_sub(self.prefix));
        bits == other_bits && base.checked_shr(shift).unwrap_or(0) == other.checked_shr(shift).unwrap_or(0)
    }
}

fn number(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(address) => (u32::from(address).into(), 32),
        IpAddr::V6(address) => (address.into(), 128),
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

impl FromStr for Block {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no address and no block of addresses like 10.0.0.0/8");
        let (base, prefix) = text.split_once('/').map_or((text, None), |(base, prefix)| (base, Some(prefix)));
        let base: IpAddr = base.parse().map_err(|_| wrong())?;
        let (_, bits) = number(base);
        let prefix = prefix.map_or(Ok(bits), str::parse).map_err(|_| wrong())?;
        if prefix > bits { Err(wrong()) } else { Ok(Self { base, prefix }) }
    }
}

/// What is never reached by its address, and why.
const NEVER: [(Block, &str); 9] = [
    (Block::v4(127, 0, 8), "the host's loopback is reached as host.docker.internal only"),
    (Block::v6(0, 127), "the host's loopback is reached as host.docker.internal only"),
    (Block::v4(0, 0, 8), "it is no address of anybody"),
    // The metadata of cloud machines are there, with credentials in them.
    (Block::v4(169, 254, 16), "link-local addresses are the host's own"),
    (Block::v6(0xfe80, 10), "link-local addresses are the host's own"),
    (Block::v4(224, 0, 4), "nothing is sent to groups"),
    (Block::v6(0xff00, 8), "nothing is sent to groups"),
    (Block::v4(240, 0, 4), "it is no address of anybody"),
    (Block::v6(0xfec0, 10), "it is no address of anybody"),
];

/// What is denied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// By the user.
    pub denied: Vec<Block>,
    /// Whether the host's loopback is too.
    pub host_denied: bool,
}

impl Policy {
    /// Why a target must not be reached; nothing if it may.
    #[must_use]
    pub fn denies(&self, target: Target) -> Option<String> {
        let address = match target {
            Target::Host { .. } if self.host_denied => return Some("the host is denied by the settings".to_owned()),
            Target::Host { .. } => return None,
            // What is written as IPv6 but leaves as IPv4 is IPv4.
            Target::Address(address) => address.ip().to_canonical(),
        };
        let never = NEVER.iter().find(|(block, _)| block.holds(address)).map(|(_, why)| (*why).to_owned());
        never.or_else(|| {
            let block = self.denied.iter().find(|block| block.holds(address))?;
            Some(format!("{block} is denied by the settings"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(address: &str) -> Target {
        Target::Address((address.parse::<IpAddr>().unwrap(), 80).into())
    }

    #[test]
    fn what_is_the_hosts_own_is_never_reached_by_its_address() {
        let policy = Policy::default();
        for address in [
            "127.0.0.1",
            "127.255.0.9",
            "::1",
            "::",
            "0.0.0.0",
            "169.254.169.254",
            "fe80::1",
            "224.0.0.251",
            "ff02::fb",
            "255.255.255.255",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
        ] {
            assert!(policy.denies(to(address)).is_some(), "{address}");
        }
        for address in
            ["10.0.0.1", "192.168.1.1", "8.8.8.8", "fd00::1", "2001:db8::1", "169.253.0.1", "::ffff:10.0.0.1"]
        {
            assert_eq!(policy.denies(to(address)), None, "{address}");
        }
        assert_eq!(policy.denies(Target::Host { port: 80 }), None);
    }

    #[test]
    fn the_user_denies_blocks_and_single_addresses_and_the_host() {
        let denied = ["10.0.0.0/8", "2001:db8::1", "192.0.2.7"].map(|text| text.parse().unwrap()).to_vec();
        let policy = Policy { denied, host_denied: true };
        for (address, is_denied) in [
            ("10.9.9.9", true),
            ("11.0.0.1", false),
            ("2001:db8::1", true),
            ("2001:db8::2", false),
            ("192.0.2.7", true),
        ] {
            assert_eq!(policy.denies(to(address)).is_some(), is_denied, "{address}");
        }
        assert_eq!(policy.denies(to("10.1.1.1")).unwrap(), "10.0.0.0/8 is denied by the settings");
        assert!(policy.denies(Target::Host { port: 80 }).is_some());
        for wrong in ["", "10.0.0.0/33", "host", "10.0.0/8", "fe80::/x"] {
            assert!(wrong.parse::<Block>().is_err(), "{wrong}");
        }
    }
}
