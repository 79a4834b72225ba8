//! The messages to the kernel about links, addresses and routes, and the socket that they go over. It belongs to the
//! namespace that its thread was in when it was opened.

use std::{io, net::Ipv4Addr, os::fd::RawFd};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage},
    link::{InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage},
    route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::addresses::{BROADCAST, GATEWAY, PREFIX_LENGTH};

/// The index of loopback in every namespace.
pub(super) const LOOPBACK: u32 = 1;
/// The index that eth0 is given in a container's: nothing has to be looked up then.
pub(super) const ETH0: u32 = 2;

/// dockerd's; what may be sent at once.
const MTU: u32 = 1500;

/// A message, with the flags that say what it means.
pub(super) type Request = (RouteNetlinkMessage, u16);

/// A socket to the kernel.
pub(super) struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    /// Opens one in the namespace of this thread.
    pub(super) fn open() -> io::Result<Self> {
        let socket = Socket::new(NETLINK_ROUTE)?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Asks the kernel for something, and waits until it is done.
    pub(super) fn ask(&mut self, request: Request) -> io::Result<()> {
        self.sequence += 1;
        self.socket.send(&encode(request, self.sequence), 0)?;
        loop {
            let (answer, _) = self.socket.recv_from_full()?;
            let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer).map_err(io::Error::other)?;
            // What an earlier request left is nobody's.
            if answer.header.sequence_number != self.sequence {
                continue;
            }
            return match answer.payload {
                NetlinkPayload::Error(error) if error.code.is_some() => Err(error.to_io()),
                _ => Ok(()),
            };
        }
    }
}

/// The bytes of a request.
fn encode((message, flags): Request, sequence: u32) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    (header.flags, header.sequence_number) = (NLM_F_REQUEST | NLM_F_ACK | flags, sequence);
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// Makes a bridge. One without a MAC address of its own would take that of a container, another one each time.
pub(super) fn make_bridge(name: &str, mac: [u8; 6]) -> Request {
    let mut link = LinkMessage::default();
    link.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::Mtu(MTU),
        LinkAttribute::Address(mac.to_vec()),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]),
    ];
    (RouteNetlinkMessage::NewLink(link), NLM_F_CREATE | NLM_F_EXCL)
}

/// Makes a link with one end on the bridge, up, and the other in a namespace, as eth0: one message for all that.
pub(super) fn make_link(name: &str, bridge: u32, namespace: RawFd, mac: [u8; 6]) -> Request {
    let mut inside = LinkMessage::default();
    inside.header.index = ETH0;
    inside.attributes = vec![
        LinkAttribute::IfName("eth0".to_owned()),
        LinkAttribute::Mtu(MTU),
        LinkAttribute::Address(mac.to_vec()),
        LinkAttribute::NetNsFd(namespace),
    ];
    let mut link = LinkMessage::default();
    (link.header.flags, link.header.change_mask) = (LinkFlags::Up, LinkFlags::Up);
    link.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::Mtu(MTU),
        LinkAttribute::Controller(bridge),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(inside))),
        ]),
    ];
    (RouteNetlinkMessage::NewLink(link), NLM_F_CREATE | NLM_F_EXCL)
}

/// Takes a link away, whatever its index is.
pub(super) fn delete(name: &str) -> Request {
    let mut link = LinkMessage::default();
    link.attributes = vec![LinkAttribute::IfName(name.to_owned())];
    (RouteNetlinkMessage::DelLink(link), 0)
}

/// Brings a link up.
pub(super) fn bring_up(index: u32) -> Request {
    let mut link = LinkMessage::default();
    link.header.index = index;
    (link.header.flags, link.header.change_mask) = (LinkFlags::Up, LinkFlags::Up);
    (RouteNetlinkMessage::SetLink(link), 0)
}

/// Gives a link an address of the bridge's network.
pub(super) fn give_address(index: u32, address: Ipv4Addr) -> Request {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = PREFIX_LENGTH;
    message.header.index = index;
    message.attributes = vec![
        AddressAttribute::Local(address.into()),
        AddressAttribute::Address(address.into()),
        AddressAttribute::Broadcast(BROADCAST),
    ];
    (RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_REPLACE)
}

/// The way to everywhere else is by the bridge.
pub(super) fn default_route(index: u32) -> Request {
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: AddressFamily::Inet,
        table: RouteHeader::RT_TABLE_MAIN,
        protocol: RouteProtocol::Boot,
        scope: RouteScope::Universe,
        kind: RouteType::Unicast,
        ..RouteHeader::default()
    };
    message.attributes = vec![RouteAttribute::Gateway(RouteAddress::Inet(GATEWAY)), RouteAttribute::Oif(index)];
    (RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_EXCL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(bytes: &[u8], part: &[u8]) -> bool {
        bytes.windows(part.len()).any(|window| window == part)
    }

    #[test]
    fn a_route_is_the_bytes_that_the_kernel_expects() {
        let bytes = encode(default_route(ETH0), 7);
        let expected: &[u8] = &[
            44, 0, 0, 0, // nlmsg_len
            24, 0, // RTM_NEWROUTE
            0x05, 0x06, // REQUEST, ACK, EXCL, CREATE
            7, 0, 0, 0, // sequence
            0, 0, 0, 0, // port
            2, 0, 0, 0, 254, 3, 0, 1, // AF_INET, main table, RTPROT_BOOT, universe, unicast
            0, 0, 0, 0, // flags
            8, 0, 5, 0, 172, 17, 0, 1, // RTA_GATEWAY
            8, 0, 4, 0, 2, 0, 0, 0, // RTA_OIF
        ];
        assert_eq!(bytes, expected);
    }

    #[test]
    fn one_message_makes_both_ends_of_a_link() {
        let bytes = encode(make_link("veth0123456", 5, 9, [2, 0x42, 172, 17, 0, 2]), 1);
        assert_eq!(bytes[4..6], [16, 0], "RTM_NEWLINK");
        assert_eq!(usize::from(bytes[0]), bytes.len());
        assert!(contains(&bytes, &[8, 0, 10, 0, 5, 0, 0, 0]), "IFLA_MASTER");
        assert!(contains(&bytes, &[8, 0, 28, 0, 9, 0, 0, 0]), "IFLA_NET_NS_FD, of the end within");
        assert!(contains(&bytes, &[10, 0, 1, 0, 2, 0x42, 172, 17, 0, 2]), "IFLA_ADDRESS");
        assert!(contains(&bytes, b"veth0123456\0") && contains(&bytes, b"eth0\0") && contains(&bytes, b"veth\0"));
    }
}
