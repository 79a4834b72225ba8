//! Links, addresses and routes of a network namespace, by rtnetlink.

use std::{
    io,
    net::IpAddr,
    os::fd::{AsRawFd, BorrowedFd},
};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressHeaderFlags, AddressMessage},
    link::{
        InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoPortKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo,
        LinkMessage,
    },
    route::{RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType},
    rule::{RuleAction, RuleAttribute, RuleMessage},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::subnet::Subnet;

/// The main routing table.
const MAIN: u8 = libc::RT_TABLE_MAIN;

/// A conversation about the network namespace that the thread was in when it began.
pub(super) struct Netlink(Socket);

/// How the end of a link is in a bridge.
#[derive(Debug, Clone, Copy)]
pub(super) struct Port {
    /// The bridge.
    pub(super) bridge: u32,
    /// Whether it reaches nobody but the bridge itself.
    pub(super) isolated: bool,
    /// Bytes in a packet.
    pub(super) mtu: u32,
}

/// A pair of links to be: one end here, the other in another namespace.
pub(super) struct Veth<'a> {
    /// Name of this end.
    pub(super) name: &'a str,
    /// The bridge that it is put into.
    pub(super) bridge: u32,
    /// Name of the other end.
    pub(super) peer: &'a str,
    /// Where that is.
    pub(super) namespace: BorrowedFd<'a>,
    /// Bytes in a packet.
    pub(super) mtu: u32,
}

impl Netlink {
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self(socket))
    }

    /// The index of the link of this name in the namespace of this thread.
    pub(super) fn index(name: &str) -> io::Result<u32> {
        let socket = rustix::net::socket_with(
            rustix::net::AddressFamily::INET,
            rustix::net::SocketType::DGRAM,
            rustix::net::SocketFlags::CLOEXEC,
            None,
        )?;
        Ok(rustix::net::netdevice::name_to_index(socket, name)?)
    }

    pub(super) fn add_bridge(&self, name: &str, mtu: u32) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::Mtu(mtu),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]),
        ];
        self.ask(RouteNetlinkMessage::NewLink(link), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Both ends at once, this one up and in its bridge.
    pub(super) fn add_veth(&self, veth: &Veth<'_>) -> io::Result<()> {
        let mut peer = LinkMessage::default();
        peer.attributes = vec![
            LinkAttribute::IfName(veth.peer.to_owned()),
            LinkAttribute::Mtu(veth.mtu),
            LinkAttribute::NetNsFd(veth.namespace.as_raw_fd()),
        ];
        let mut link = LinkMessage::default();
        (link.header.flags, link.header.change_mask) = (LinkFlags::Up, LinkFlags::Up);
        link.attributes = vec![
            LinkAttribute::IfName(veth.name.to_owned()),
            LinkAttribute::Mtu(veth.mtu),
            LinkAttribute::Controller(veth.bridge),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Veth),
                LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
            ]),
        ];
        self.ask(RouteNetlinkMessage::NewLink(link), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Puts an end into another bridge, or says how it is in the one that it is in.
    pub(super) fn set_port(&self, name: &str, port: Port) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::Mtu(port.mtu),
            LinkAttribute::Controller(port.bridge),
        ];
        self.ask(RouteNetlinkMessage::SetLink(link), 0)?;
        if !port.isolated {
            return Ok(());
        }
        let mut link = LinkMessage::default();
        link.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::PortKind(InfoPortKind::Bridge),
                LinkInfo::PortData(InfoPortData::BridgePort(vec![InfoBridgePort::Isolated(true)])),
            ]),
        ];
        // This alone is asked for as a new link, of one that is there.
        self.ask(RouteNetlinkMessage::NewLink(link), 0)
    }

    /// Brings a link up, with a hardware address and a size of packets if they are given.
    pub(super) fn bring_up(&self, index: u32, hardware: Option<[u8; 6]>, mtu: Option<u32>) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.header.index = index;
        (link.header.flags, link.header.change_mask) = (LinkFlags::Up, LinkFlags::Up);
        link.attributes = hardware.map(|address| LinkAttribute::Address(address.to_vec())).into_iter().collect();
        link.attributes.extend(mtu.map(LinkAttribute::Mtu));
        self.ask(RouteNetlinkMessage::SetLink(link), 0)
    }

    /// Gives a link an address of a subnet. That nobody else has an IPv6 address is known, so that nobody is asked.
    pub(super) fn add_address(&self, index: u32, address: IpAddr, subnet: Subnet) -> io::Result<()> {
        let mut message = AddressMessage::default();
        message.header.family = family(address);
        message.header.prefix_len = subnet.prefix;
        message.header.index = index;
        message.attributes = vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
        match subnet.last() {
            IpAddr::V4(broadcast) => message.attributes.push(AddressAttribute::Broadcast(broadcast)),
            IpAddr::V6(_) => message.header.flags = AddressHeaderFlags::Nodad,
        }
        self.ask(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Everything that is not near goes to the gateway.
    pub(super) fn add_default_route(&self, gateway: IpAddr) -> io::Result<()> {
        self.ask(RouteNetlinkMessage::NewRoute(default_route(gateway)), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Nothing goes to the gateway any more.
    pub(super) fn remove_default_route(&self, gateway: IpAddr) -> io::Result<()> {
        self.ask(RouteNetlinkMessage::DelRoute(default_route(gateway)), 0)
    }

    /// A link that leads nowhere, up.
    pub(super) fn add_dummy(&self, name: &str) -> io::Result<()> {
        let mut link = LinkMessage::default();
        (link.header.flags, link.header.change_mask) = (LinkFlags::Up, LinkFlags::Up);
        link.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Dummy)]),
        ];
        self.ask(RouteNetlinkMessage::NewLink(link), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Puts a link into a group, by which rules know it.
    pub(super) fn set_group(&self, index: u32, group: u32) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.header.index = index;
        link.attributes = vec![LinkAttribute::Group(group)];
        self.ask(RouteNetlinkMessage::SetLink(link), 0)
    }

    /// Everything of a family that is not near leaves by a link.
    pub(super) fn add_default_route_by(&self, index: u32, is_ipv4: bool) -> io::Result<()> {
        let mut route = route_of(is_ipv4);
        route.attributes = vec![RouteAttribute::Oif(index)];
        self.ask(RouteNetlinkMessage::NewRoute(route), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// What has a mark is this machine's own, wherever it goes; by a routing table that holds nothing else.
    pub(super) fn keep_marked(&self, mark: u32, table: u8, loopback: u32, is_ipv4: bool) -> io::Result<()> {
        let mut route = route_of(is_ipv4);
        (route.header.table, route.header.kind) = (table, RouteType::Local);
        route.header.scope = RouteScope::Host;
        route.attributes = vec![RouteAttribute::Oif(loopback)];
        there(self.ask(RouteNetlinkMessage::NewRoute(route), NLM_F_CREATE | NLM_F_EXCL))?;
        let mut rule = RuleMessage::default();
        rule.header.family = if is_ipv4 { AddressFamily::Inet } else { AddressFamily::Inet6 };
        (rule.header.table, rule.header.action) = (table, RuleAction::ToTable);
        rule.attributes = vec![RuleAttribute::FwMark(mark)];
        there(self.ask(RouteNetlinkMessage::NewRule(rule), NLM_F_CREATE | NLM_F_EXCL))
    }

    /// Removes a link, and with it its other end.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.attributes = vec![LinkAttribute::IfName(name.to_owned())];
        self.ask(RouteNetlinkMessage::DelLink(link), 0)
    }

    /// Sends a request and waits until the kernel has done it.
    fn ask(&self, request: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(request));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.0.send(&bytes, 0)?;
        let (answer, _) = self.0.recv_from_full()?;
        match NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer).map_err(io::Error::other)?.payload {
            NetlinkPayload::Error(acknowledged) if acknowledged.code.is_none() => Ok(()),
            NetlinkPayload::Error(refused) => Err(refused.to_io()),
            _ => Err(io::Error::other("the kernel answers something else than asked")),
        }
    }
}

fn family(of: IpAddr) -> AddressFamily {
    if of.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn default_route(gateway: IpAddr) -> RouteMessage {
    let mut route = route_of(gateway.is_ipv4());
    route.attributes = vec![RouteAttribute::Gateway(match gateway {
        IpAddr::V4(gateway) => RouteAddress::Inet(gateway),
        IpAddr::V6(gateway) => RouteAddress::Inet6(gateway),
    })];
    route
}

/// What is there already, made by an earlier agent, is as good.
pub(super) fn there(made: io::Result<()>) -> io::Result<()> {
    match made {
        Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Ok(()),
        made => made,
    }
}

/// A route to everywhere.
fn route_of(is_ipv4: bool) -> RouteMessage {
    let mut route = RouteMessage::default();
    route.header.address_family = if is_ipv4 { AddressFamily::Inet } else { AddressFamily::Inet6 };
    route.header.table = MAIN;
    route.header.protocol = RouteProtocol::Boot;
    route.header.scope = RouteScope::Universe;
    route.header.kind = RouteType::Unicast;
    route
}
