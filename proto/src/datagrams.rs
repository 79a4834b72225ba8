//! A datagram between the halves: whom it is for or from, and its bytes; one message of a raw stream.
//!
//! ```text
//! length of the address: u8   address: 0, 4 or 16 bytes   port: u16, big-endian   payload
//! ```
//!
//! Without an address it is the host itself.

use std::net::IpAddr;

/// The longest message: a datagram and what stands before it.
pub const LONGEST: usize = 65_535 + 1 + 16 + 2;

/// Writes one: no address is the host.
#[must_use]
pub fn encode(address: Option<IpAddr>, port: u16, payload: &[u8]) -> Vec<u8> {
    let octets = match address {
        None => Vec::new(),
        Some(IpAddr::V4(address)) => address.octets().to_vec(),
        Some(IpAddr::V6(address)) => address.octets().to_vec(),
    };
    let mut message = Vec::with_capacity(octets.len() + 3 + payload.len());
    message.push(u8::try_from(octets.len()).unwrap_or(0));
    message.extend(octets);
    message.extend(port.to_be_bytes());
    message.extend(payload);
    message
}

/// Reads one; nothing if it is none.
#[must_use]
pub fn decode(message: &[u8]) -> Option<(Option<IpAddr>, u16, &[u8])> {
    let (length, rest) = message.split_first()?;
    let (octets, rest) = rest.split_at_checked(usize::from(*length))?;
    let (port, payload) = rest.split_at_checked(2)?;
    let address = if octets.is_empty() { None } else { Some(address(octets)?) };
    Some((address, u16::from_be_bytes([port[0], port[1]]), payload))
}

/// An address from its bytes in the network's order.
#[must_use]
pub fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_come_back_as_they_were_and_half_of_one_is_none() {
        for (address, payload) in [
            (None, b"x".as_slice()),
            (Some("10.0.0.1".parse().unwrap()), b""),
            (Some("fd00::1".parse().unwrap()), b"yz"),
        ] {
            let message = encode(address, 53, payload);
            assert_eq!(decode(&message), Some((address, 53, payload)));
            for length in 0..message.len() - payload.len() {
                assert_eq!(decode(&message[..length]), None, "{length} bytes");
            }
        }
        assert_eq!(decode(&[5, 1, 2, 3, 4, 5, 0, 53]), None, "no address has five bytes");
        assert!(encode(Some("fd00::1".parse().unwrap()), 1, &[0; 65_535]).len() <= LONGEST);
    }
}
