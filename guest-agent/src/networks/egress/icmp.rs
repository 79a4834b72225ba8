//! Messages of ICMP that containers get in the name of others. Pure.

use std::net::{IpAddr, SocketAddr};

use super::packet::Echo;

/// The answer to an echo request.
pub(super) fn echo_reply(echo: &Echo) -> Vec<u8> {
    const REPLY: [u8; 2] = [0, 129];
    let [id, sequence] = [echo.id, echo.sequence].map(u16::to_be_bytes);
    let mut message = vec![REPLY[usize::from(echo.to.is_ipv6())], 0, 0, 0, id[0], id[1], sequence[0], sequence[1]];
    message.extend(&echo.data);
    summed(message, echo.to.is_ipv4())
}

/// That nobody has the port that a datagram was for.
pub(super) fn port_unreachable(from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let mut message = match to.is_ipv4() {
        true => vec![3, 3, 0, 0, 0, 0, 0, 0],
        false => vec![1, 4, 0, 0, 0, 0, 0, 0],
    };
    message.extend(header(from.ip(), to.ip()));
    // The ports are what the sender knows its socket by.
    message.extend([from.port(), to.port(), UDP_HEADER, 0].iter().flat_map(|number| number.to_be_bytes()));
    summed(message, to.is_ipv4())
}

const UDP: u8 = 17;
const UDP_HEADER: u16 = 8;
const HOPS: u8 = 64;

/// The head of a packet as its sender would know it.
fn header(from: IpAddr, to: IpAddr) -> Vec<u8> {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut head = vec![0x45, 0, 0, 28, 0, 0, 0, 0, HOPS, UDP, 0, 0];
            head.extend(from.octets());
            head.extend(to.octets());
            let sum = checksum(&head).to_be_bytes();
            head[10..12].copy_from_slice(&sum);
            head
        }
        (from, to) => {
            let octets = |address: IpAddr| match address {
                IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                IpAddr::V6(address) => address.octets(),
            };
            [&[0x60, 0, 0, 0, 0, 8, UDP, HOPS], octets(from).as_slice(), &octets(to)].concat()
        }
    }
}

fn summed(mut message: Vec<u8>, is_ipv4: bool) -> Vec<u8> {
    if is_ipv4 {
        let sum = checksum(&message).to_be_bytes();
        message[2..4].copy_from_slice(&sum);
    }
    message
}

fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|two| u32::from(u16::from_be_bytes([two[0], *two.get(1).unwrap_or(&0)])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_sums_up_to_nothing_and_names_who_asked() {
        let echo = Echo {
            from: "172.17.0.2".parse().unwrap(),
            to: "198.51.100.1".parse().unwrap(),
            hops: 64,
            id: 7,
            sequence: 2,
            data: b"odd".to_vec(),
        };
        let reply = echo_reply(&echo);
        assert_eq!((checksum(&reply), reply[0], &reply[4..]), (0, 0, b"\0\x07\0\x02odd".as_slice()));
        let (from, to) = ("172.17.0.2:4000".parse().unwrap(), "198.51.100.1:53".parse().unwrap());
        let message = port_unreachable(from, to);
        assert_eq!((checksum(&message), checksum(&message[8..28])), (0, 0));
        assert_eq!((message.len(), &message[28..32]), (36, [0x0f, 0xa0, 0, 53].as_slice()));
        let six = port_unreachable("[fd00::2]:4000".parse().unwrap(), "[2001:db8::1]:53".parse().unwrap());
        assert_eq!((six[0], six[1], six.len()), (1, 4, 56));
    }
}
