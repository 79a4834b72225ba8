//! The sockets of published ports, and what differs between systems about them.

use std::{io, net::SocketAddr};

use socket2::{Domain, SockAddr, Type};
use tokio::net::{TcpListener, UdpSocket};

use super::Protocol;

/// Connections that may wait to be accepted; the system may have a lower limit.
const BACKLOG: i32 = 1024;

/// What to do where a port is not this user's to take.
#[cfg(target_os = "linux")]
pub(super) const WHY_DENIED: &str = "ports below net.ipv4.ip_unprivileged_port_start are the administrator's: publish a \
    higher one, or lower that setting with sysctl";
/// What to do where a port is not this user's to take.
#[cfg(target_os = "macos")]
pub(super) const WHY_DENIED: &str = "macOS gives ports below 1024 to everybody on all addresses only: publish without an \
    address, or a higher port";
/// What to do where a port is not this user's to take.
#[cfg(windows)]
pub(super) const WHY_DENIED: &str = "Windows keeps this port for itself: `netsh interface ipv4 show excludedportrange tcp` \
    lists those that it keeps";
/// What to do where a port is not this user's to take.
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
pub(super) const WHY_DENIED: &str = "this user may not open it";

/// An open socket.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

/// Opens one; port 0 is any. Within a runtime.
pub(super) fn open(protocol: Protocol, at: SocketAddr) -> io::Result<(SocketAddr, Socket)> {
    let kind = match protocol {
        Protocol::Tcp => Type::STREAM,
        Protocol::Udp => Type::DGRAM,
    };
    let socket = socket2::Socket::new(Domain::for_address(at), kind, None)?;
    if at.is_ipv6() {
        // IPv4 has a socket of its own.
        socket.set_only_v6(true)?;
    }
    // So that a port can be had again while old connections fade. On Windows the option would allow to take it from others.
    #[cfg(unix)]
    socket.set_reuse_address(protocol == Protocol::Tcp)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(at))?;
    let socket = match protocol {
        Protocol::Tcp => {
            socket.listen(BACKLOG)?;
            Socket::Tcp(TcpListener::from_std(socket.into())?)
        }
        Protocol::Udp => Socket::Udp(UdpSocket::from_std(socket.into())?),
    };
    let at = match &socket {
        Socket::Tcp(listener) => listener.local_addr()?,
        Socket::Udp(socket) => socket.local_addr()?,
    };
    Ok((at, socket))
}
