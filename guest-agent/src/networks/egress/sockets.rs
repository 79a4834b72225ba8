//! Transparent sockets: they have what is addressed to others, and answer in their name.

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    os::fd::{AsRawFd, OwnedFd},
};

use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, SockaddrIn6, SockaddrStorage, recvmsg, sendmsg,
    setsockopt, sockopt,
};
use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType, ipproto, socket_with};
use tokio::{
    io::{Interest, unix::AsyncFd},
    net::TcpListener,
};

use crate::sys::watch::watch;

/// Connections that wait to be accepted; the kernel's own limit is the same.
const BACKLOG: i32 = 4096;

fn loopback(is_ipv4: bool) -> SocketAddr {
    let address: IpAddr = if is_ipv4 { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    (address, 0).into()
}

fn transparent(of: SocketType, bound: SocketAddr) -> io::Result<OwnedFd> {
    let family = if bound.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, of, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    rustix::net::sockopt::set_socket_reuseaddr(&socket, true)?;
    // Of version 6 as well: the kernel hands the option on.
    setsockopt(&socket, sockopt::IpTransparent, &true)?;
    rustix::net::bind(&socket, &bound)?;
    Ok(socket)
}

/// Accepts connections to others. Within a runtime.
pub(super) fn listener(is_ipv4: bool) -> io::Result<TcpListener> {
    let socket = transparent(SocketType::STREAM, loopback(is_ipv4))?;
    rustix::net::listen(&socket, BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Hears datagrams to others. Within a runtime.
pub(super) struct Ear(AsyncFd<OwnedFd>);

/// A datagram that was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) data: Vec<u8>,
}

impl Ear {
    pub(super) fn open(is_ipv4: bool) -> io::Result<Self> {
        let socket = transparent(SocketType::DGRAM, loopback(is_ipv4))?;
        if is_ipv4 {
            setsockopt(&socket, sockopt::Ipv4OrigDstAddr, &true)?;
        } else {
            setsockopt(&socket, sockopt::Ipv6OrigDstAddr, &true)?;
        }
        Ok(Self(watch(socket, Interest::READABLE)?))
    }

    /// Its own port.
    pub(super) fn port(&self) -> io::Result<u16> {
        let bound = rustix::net::getsockname(self.0.get_ref())?;
        Ok(SocketAddr::try_from(bound).map_err(io::Error::from)?.port())
    }

    /// The next datagram.
    pub(super) async fn next(&self, buffer: &mut [u8]) -> io::Result<Heard> {
        loop {
            let mut ready = self.0.readable().await?;
            if let Ok(heard) = ready.try_io(|socket| hear(socket.get_ref(), buffer)) {
                match heard? {
                    Some(heard) => return Ok(heard),
                    None => continue,
                }
            }
        }
    }
}

fn hear(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<Option<Heard>> {
    let mut control = nix::cmsg_space!(libc::sockaddr_in6);
    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty())?;
    let from = message.address.as_ref().and_then(address_of);
    let to = message.cmsgs()?.find_map(|about| match about {
        ControlMessageOwned::Ipv4OrigDstAddr(to) => Some(SocketAddr::V4(SockaddrIn::from(to).into())),
        ControlMessageOwned::Ipv6OrigDstAddr(to) => Some(SocketAddr::V6(SockaddrIn6::from(to).into())),
        _ => None,
    });
    let length = message.bytes;
    Ok(from.zip(to).map(|(from, to)| Heard { from, to, data: buffer[..length].to_vec() }))
}

fn address_of(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = || storage.as_sockaddr_in().map(|v4| SocketAddrV4::from(*v4).into());
    v4().or_else(|| storage.as_sockaddr_in6().map(|v6| SocketAddrV6::from(*v6).into()))
}

/// Sends datagrams in the name of an address that is somebody else's.
pub(in super::super) fn in_the_name_of(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    Ok(transparent(SocketType::DGRAM, address)?.into())
}

/// Sends messages of ICMP in the name of others.
pub(super) struct Mouth {
    ipv4: OwnedFd,
    ipv6: OwnedFd,
}

impl Mouth {
    pub(super) fn open() -> io::Result<Self> {
        let raw = |family, protocol: Protocol| {
            socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, Some(protocol))
        };
        let ipv4 = raw(AddressFamily::INET, ipproto::ICMP)?;
        setsockopt(&ipv4, sockopt::IpTransparent, &true)?;
        let ipv6 = raw(AddressFamily::INET6, ipproto::ICMPV6)?;
        rustix::net::sockopt::set_ipv6_freebind(&ipv6, true)?;
        Ok(Self { ipv4, ipv6 })
    }

    /// Sends a message. The checksum of version 6 is the kernel's.
    pub(super) fn say(&self, from: IpAddr, to: IpAddr, message: &[u8]) -> io::Result<()> {
        let parts = [IoSlice::new(message)];
        match (from, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let source = libc::in_addr { s_addr: u32::from_ne_bytes(from.octets()) };
                let about = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: source, ipi_addr: source };
                let to = SockaddrIn::from(SocketAddrV4::new(to, 0));
                let about = [ControlMessage::Ipv4PacketInfo(&about)];
                sendmsg(self.ipv4.as_raw_fd(), &parts, &about, MsgFlags::empty(), Some(&to))?;
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let about = libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr: from.octets() }, ipi6_ifindex: 0 };
                let to = SockaddrIn6::from(SocketAddrV6::new(to, 0, 0, 0));
                let about = [ControlMessage::Ipv6PacketInfo(&about)];
                sendmsg(self.ipv6.as_raw_fd(), &parts, &about, MsgFlags::empty(), Some(&to))?;
            }
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        }
        Ok(())
    }
}
