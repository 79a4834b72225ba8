//! What a packet that waits wants: pure, and for bytes that anybody may have made up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// From where to where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Pair {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
}

/// An echo request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Echo {
    pub(super) from: IpAddr,
    pub(super) to: IpAddr,
    /// How many more routers it may pass.
    pub(super) hops: u8,
    pub(super) id: u16,
    pub(super) sequence: u16,
    pub(super) data: Vec<u8>,
}

/// What opens something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Opening {
    /// A connection.
    Connection(Pair),
    /// A ping.
    Echo(Echo),
}

const TCP: u8 = 6;
const ICMP: u8 = 1;
const ICMP_V6: u8 = 58;
/// Protocol and type of an echo request, of either version.
const ECHO_REQUEST: (u8, u8) = (ICMP, 8);
const ECHO_REQUEST_V6: (u8, u8) = (ICMP_V6, 128);

/// A packet of IP without its header.
struct Inner<'a> {
    from: IpAddr,
    to: IpAddr,
    hops: u8,
    protocol: u8,
    payload: &'a [u8],
}

/// Reads a packet; nothing if it opens nothing.
pub(super) fn parse(packet: &[u8]) -> Option<Opening> {
    let inner = match packet.first()? >> 4 {
        4 => ipv4(packet)?,
        6 => ipv6(packet)?,
        _ => return None,
    };
    let payload = inner.payload;
    if inner.protocol == TCP {
        let at = |address, port| Some(SocketAddr::new(address, number(payload, port)?));
        return Some(Opening::Connection(Pair { from: at(inner.from, 0)?, to: at(inner.to, 2)? }));
    }
    let echo = if inner.to.is_ipv4() { ECHO_REQUEST } else { ECHO_REQUEST_V6 };
    (echo == (inner.protocol, *payload.first()?)).then_some(Opening::Echo(Echo {
        from: inner.from,
        to: inner.to,
        hops: inner.hops,
        id: number(payload, 4)?,
        sequence: number(payload, 6)?,
        data: payload.get(8..)?.to_vec(),
    }))
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2).map(|two| u16::from_be_bytes([two[0], two[1]]))
}

fn ipv4(packet: &[u8]) -> Option<Inner<'_>> {
    let header = usize::from(packet[0] & 15) * 4;
    let octets = |at: usize| packet.get(at..at + 4)?.try_into().ok().map(|octets: [u8; 4]| Ipv4Addr::from(octets));
    Some(Inner {
        from: octets(12)?.into(),
        to: octets(16)?.into(),
        hops: *packet.get(8)?,
        protocol: *packet.get(9)?,
        payload: packet.get(header.max(20)..usize::from(number(packet, 2)?))?,
    })
}

fn ipv6(packet: &[u8]) -> Option<Inner<'_>> {
    const HEADER: usize = 40;
    /// Hop by hop, routing, destination: each says what comes next and how long it is.
    const EXTENSIONS: [u8; 3] = [0, 43, 60];
    let octets = |at: usize| packet.get(at..at + 16)?.try_into().ok().map(|octets: [u8; 16]| Ipv6Addr::from(octets));
    let (mut protocol, mut at) = (*packet.get(6)?, HEADER);
    while EXTENSIONS.contains(&protocol) {
        protocol = *packet.get(at)?;
        at += usize::from(*packet.get(at + 1)?) * 8 + 8;
    }
    let end = HEADER + usize::from(number(packet, 4)?);
    Some(Inner {
        from: octets(8)?.into(),
        to: octets(24)?.into(),
        hops: *packet.get(7)?,
        protocol,
        payload: packet.get(at..end)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(protocol: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
        let mut packet = vec![0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, protocol, 0, 0];
        packet.extend([172, 17, 0, 2, 198, 51, 100, 1]);
        packet.extend(payload);
        packet
    }

    fn v6(extension: bool, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len() + if extension { 8 } else { 0 }).unwrap().to_be_bytes();
        let mut packet = vec![0x60, 0, 0, 0, length[0], length[1], if extension { 60 } else { protocol }, 7];
        packet.extend("fd00::2".parse::<Ipv6Addr>().unwrap().octets());
        packet.extend("2001:db8::1".parse::<Ipv6Addr>().unwrap().octets());
        if extension {
            packet.extend([protocol, 0, 1, 4, 0, 0, 0, 0]);
        }
        packet.extend(payload);
        packet
    }

    const SYN: [u8; 20] = [0x9c, 0x40, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0];

    #[test]
    fn connections_are_read_of_both_versions() {
        let pair = |from: &str, to: &str| {
            Some(Opening::Connection(Pair { from: from.parse().unwrap(), to: to.parse().unwrap() }))
        };
        assert_eq!(parse(&v4(TCP, &SYN)), pair("172.17.0.2:40000", "198.51.100.1:80"));
        assert_eq!(parse(&v6(false, TCP, &SYN)), pair("[fd00::2]:40000", "[2001:db8::1]:80"));
        assert_eq!(parse(&v6(true, TCP, &SYN)), pair("[fd00::2]:40000", "[2001:db8::1]:80"));
    }

    #[test]
    fn echo_requests_are_read_and_other_messages_are_not() {
        let asked = [8, 0, 0xff, 0xff, 0, 7, 0, 1, b'h', b'i'];
        let Some(Opening::Echo(echo)) = parse(&v4(ICMP, &asked)) else { panic!("no echo") };
        assert_eq!((echo.hops, echo.id, echo.sequence, echo.data.as_slice()), (64, 7, 1, b"hi".as_slice()));
        let asked = [128, 0, 0xff, 0xff, 0, 7, 0, 2];
        let Some(Opening::Echo(echo)) = parse(&v6(false, ICMP_V6, &asked)) else { panic!("no echo") };
        assert_eq!((echo.hops, echo.sequence, echo.data.len()), (7, 2, 0));
        assert_eq!(parse(&v4(ICMP, &[0, 0, 0, 0, 0, 7, 0, 1])), None, "a reply");
        assert_eq!(parse(&v4(ICMP_V6, &asked)), None, "of the other version");
        assert_eq!(parse(&v4(17, &SYN)), None);
    }

    #[test]
    fn what_is_behind_the_packet_is_not_its_own_and_half_a_packet_is_none() {
        let mut long = v4(ICMP, &[8, 0, 0, 0, 0, 7, 0, 1, b'a']);
        long.extend([9; 40]);
        let Some(Opening::Echo(echo)) = parse(&long) else { panic!("no echo") };
        assert_eq!(echo.data, b"a");
        for whole in [v4(TCP, &SYN), v6(true, TCP, &SYN), v4(ICMP, &[8, 0, 0, 0, 0, 7, 0, 1])] {
            for length in 0..whole.len() {
                assert_eq!(parse(&whole[..length]), None, "{length} bytes of {whole:?}");
            }
        }
    }

    #[test]
    fn no_bytes_whatever_make_it_stumble() {
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        for _ in 0..20_000 {
            let mut packet = if random & 1 == 0 { v4(TCP, &SYN) } else { v6(true, ICMP_V6, &SYN) };
            for _ in 0..3 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let at = usize::try_from(random >> 32).unwrap() % packet.len();
                packet[at] = random as u8;
            }
            let _ = parse(&packet);
        }
    }
}
