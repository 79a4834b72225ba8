//! What rules about the way out look at and do, beyond addresses and ports.

use super::{Attributes, Expression, REGISTER_1, REGISTER_2, compare, immediate, payload};

/// Keys of the kernel's book about a packet.
mod meta {
    pub(super) const MARK: u32 = 3;
    pub(super) const IN_NAME: u32 = 6;
    pub(super) const OUT_NAME: u32 = 7;
    pub(super) const VERSION: u32 = 15;
    pub(super) const PACKET_TYPE: u32 = 19;
    pub(super) const IN_GROUP: u32 = 21;
}

/// The kernel's longest name of a link, with a zero behind it.
const NAME: usize = 16;

/// Of one version of IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Version {
    Four,
    Six,
}

impl Version {
    /// NFPROTO_IPV4 and NFPROTO_IPV6.
    fn number(self) -> u8 {
        match self {
            Self::Four => 2,
            Self::Six => 10,
        }
    }
}

fn meta_is(key: u32, value: &[u8]) -> Vec<Expression> {
    let load = Attributes::default().number(1, REGISTER_1).number(2, key);
    vec![Expression { name: "meta", data: load }, compare(value)]
}

fn name(of: &str) -> [u8; NAME] {
    let mut bytes = [0; NAME];
    // The last byte stays zero, as the kernel's does.
    bytes[..NAME - 1].iter_mut().zip(of.bytes()).for_each(|(to, from)| *to = from);
    bytes
}

/// The packet is of this version of IP.
pub(in super::super) fn version_is(version: Version) -> Vec<Expression> {
    meta_is(meta::VERSION, &[version.number()])
}

/// It came in through a link of this group.
pub(in super::super) fn came_from_group(group: u32) -> Vec<Expression> {
    meta_is(meta::IN_GROUP, &group.to_ne_bytes())
}

/// It came in through this link.
pub(in super::super) fn came_from(link: &str) -> Vec<Expression> {
    meta_is(meta::IN_NAME, &name(link))
}

/// It goes out through this link.
pub(in super::super) fn leaves_by(link: &str) -> Vec<Expression> {
    meta_is(meta::OUT_NAME, &name(link))
}

/// It was sent to this machine's link, and not to all of them.
pub(in super::super) fn was_sent_here() -> Vec<Expression> {
    meta_is(meta::PACKET_TYPE, &[0])
}

/// It has this mark.
pub(in super::super) fn mark_is(mark: u32) -> Vec<Expression> {
    meta_is(meta::MARK, &mark.to_ne_bytes())
}

/// The route to where it goes leads through this link.
pub(in super::super) fn route_leads_by(link: &str) -> Vec<Expression> {
    const OUT_NAME: u32 = 2;
    const OF_DESTINATION: u32 = 1 << 1;
    let route = Attributes::default().number(1, REGISTER_1).number(2, OUT_NAME).number(3, OF_DESTINATION);
    vec![Expression { name: "fib", data: route }, compare(&name(link))]
}

/// It is the first of a TCP connection.
pub(in super::super) fn opens_a_connection() -> Vec<Expression> {
    const TRANSPORT_HEADER: u32 = 2;
    const FLAGS_AT: u32 = 13;
    const FIN_SYN_RST_ACK: [u8; 1] = [0x17];
    const SYN: [u8; 1] = [0x02];
    let masked = Attributes::default()
        .number(1, REGISTER_1)
        .number(2, REGISTER_1)
        .number(3, 1)
        .nested(4, &super::value_of(&FIN_SYN_RST_ACK))
        .nested(5, &super::value_of(&[0]));
    vec![payload(TRANSPORT_HEADER, FLAGS_AT, 1), Expression { name: "bitwise", data: masked }, compare(&SYN)]
}

/// It is an ICMP message of this type.
pub(in super::super) fn icmp_type_is(number: u8) -> Vec<Expression> {
    const TRANSPORT_HEADER: u32 = 2;
    vec![payload(TRANSPORT_HEADER, 0, 1), compare(&[number])]
}

/// It waits in this queue for what the agent says.
pub(in super::super) fn queue(number: u16) -> Vec<Expression> {
    vec![Expression { name: "queue", data: Attributes::default().bytes(1, &number.to_be_bytes()) }]
}

/// It gets this mark.
pub(in super::super) fn set_mark(mark: u32) -> Vec<Expression> {
    let set = Attributes::default().number(2, meta::MARK).number(3, REGISTER_1);
    vec![immediate(REGISTER_1, &mark.to_ne_bytes()), Expression { name: "meta", data: set }]
}

/// It is for the socket that has its connection, or for the one that listens here.
pub(in super::super) fn hand_to(version: Version, port: u16) -> Vec<Expression> {
    let loopback: &[u8] = match version {
        Version::Four => &[127, 0, 0, 1],
        Version::Six => &std::net::Ipv6Addr::LOCALHOST.octets(),
    };
    let family = u32::from(version.number());
    let hand = Attributes::default().number(1, family).number(2, REGISTER_1).number(3, REGISTER_2);
    vec![
        immediate(REGISTER_1, loopback),
        immediate(REGISTER_2, &port.to_be_bytes()),
        Expression { name: "tproxy", data: hand },
    ]
}

/// Nothing more is decided about it here.
pub(in super::super) fn accept() -> Vec<Expression> {
    const VERDICT_REGISTER: u32 = 0;
    const ACCEPT: u32 = 1;
    let verdict = Attributes::default().nested(2, &Attributes::default().number(1, ACCEPT));
    let data = Attributes::default().number(1, VERDICT_REGISTER).nested(2, &verdict);
    vec![Expression { name: "immediate", data }]
}

/// Who sent it is told that nobody listens there.
pub(in super::super) fn reset() -> Vec<Expression> {
    const TCP_RESET: u32 = 1;
    vec![Expression { name: "reject", data: Attributes::default().number(1, TCP_RESET) }]
}

/// Words of ICMP that both versions have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Unreachable {
    /// ENETUNREACH.
    Network = 0,
    /// EHOSTUNREACH.
    Host = 2,
    /// It is forbidden: EHOSTUNREACH of IPv4, EACCES of IPv6.
    Forbidden = 3,
}

/// Who sent it is told so.
pub(in super::super) fn unreachable(why: Unreachable) -> Vec<Expression> {
    const BOTH_VERSIONS: u32 = 2;
    vec![Expression { name: "reject", data: Attributes::default().number(1, BOTH_VERSIONS).bytes(2, &[why as u8]) }]
}
