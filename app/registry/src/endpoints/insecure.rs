//! Which registries need no certificate that anybody vouches for: those of the loopback network, as for dockerd, and those
//! that the user names.

use std::net::IpAddr;

use crate::error::RegistryError;

/// Whether a registry is one of them. Names are not looked up: what a name server says must not take trust away.
pub(crate) fn is_insecure(registry: &str, entries: &[String]) -> bool {
    let host = host(registry);
    is_loopback(host)
        || entries.iter().any(|entry| match entry.split_once('/') {
            Some((network, bits)) => is_within(host, network, bits).unwrap_or(false),
            None => entry.eq_ignore_ascii_case(registry) || entry.eq_ignore_ascii_case(host),
        })
}

/// Whether nothing leaves this computer on the way to this host.
pub(crate) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || address(host).is_some_and(|address| address.is_loopback())
}

/// The host of "host:port".
pub(crate) fn host(registry: &str) -> &str {
    match registry.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') && !host.is_empty() => host,
        _ => registry,
    }
}

/// Refuses what is neither a host nor a network.
pub(crate) fn check(entry: &str) -> Result<(), RegistryError> {
    let is_right = match entry.split_once('/') {
        Some((network, bits)) => is_within("127.0.0.1", network, bits).is_some(),
        None => {
            let is_of_names = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
            !entry.is_empty() && entry.bytes().all(is_of_names)
        }
    };
    if is_right { Ok(()) } else { Err(RegistryError::BadRegistry(entry.to_owned())) }
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// `None` if that is no network.
fn is_within(host: &str, network: &str, bits: &str) -> Option<bool> {
    let (network, bits): (IpAddr, u32) = (network.parse().ok()?, bits.parse().ok()?);
    let all = if network.is_ipv4() { 32 } else { 128 };
    if bits > all {
        return None;
    }
    let Some(address) = address(host).filter(|address| address.is_ipv4() == network.is_ipv4()) else {
        return Some(false);
    };
    let number = |address: IpAddr| match address {
        IpAddr::V4(four) => u128::from(four.to_bits()),
        IpAddr::V6(six) => six.to_bits(),
    };
    let beyond = all - bits;
    Some(number(address).checked_shr(beyond) == number(network).checked_shr(beyond))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_what_is_named_is_insecure() {
        let entries = ["10.1.0.0/16".to_owned(), "registry.lan".to_owned(), "other:5000".to_owned()];
        for (registry, expected) in [
            ("localhost", true),
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("127.9.9.9", true),
            ("[::1]:5000", true),
            ("10.1.2.3:443", true),
            ("10.2.2.3", false),
            ("registry.lan", true),
            ("registry.lan:5000", true),
            ("other:5000", true),
            ("other", false),
            ("docker.io", false),
            ("localhost.example", false),
        ] {
            assert_eq!(is_insecure(registry, &entries), expected, "{registry}");
        }
    }

    #[test]
    fn a_network_of_everything_holds_everything() {
        assert_eq!(is_within("1.2.3.4", "0.0.0.0", "0"), Some(true));
        assert_eq!(is_within("::2", "::", "0"), Some(true));
        assert_eq!(is_within("1.2.3.4", "::", "0"), Some(false));
        assert_eq!(is_within("1.2.3.4", "0.0.0.0", "33"), None);
    }
}
