//! Which addresses and numbers a published port gets, by moby's rules.
//!
//! * No address is all of them, of both versions, with one number; a host without IPv6 has no IPv6 then.
//! * A range is tried from its beginning; a number is taken if it is free on all addresses.
//! * No number is any; the system chooses on the first address, and the others are to have the same.
//! * An address that means all conflicts with each single one of its version.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use cove_proto::v1::PortRequest;

use super::{
    Open, PortsError, Protocol, holder,
    socket::{self, Socket},
};

/// How often another number is tried where any will do; moby's number.
const TRIES: usize = 10;

/// What is asked for, understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) protocol: Protocol,
    pub(super) container_port: u16,
    addresses: Vec<IpAddr>,
    /// Whether the second address may be missing.
    both_versions: bool,
    /// The first and the last that will do; 0 if any will.
    first: u16,
    last: u16,
}

impl Wanted {
    pub(super) fn parse(request: &PortRequest) -> Result<Self, PortsError> {
        let number = |number: u32| u16::try_from(number).map_err(|_| PortsError::Number(number));
        let (first, last) = (number(request.host_port)?, number(request.host_port_end)?);
        let container_port = number(request.container_port)?;
        if container_port == 0 || (last != 0 && last < first) {
            return Err(PortsError::Number(request.container_port));
        }
        let text = request.host_ip.trim_start_matches('[').trim_end_matches(']');
        let both_versions = text.is_empty();
        let addresses = match text.parse() {
            Ok(address) => vec![address],
            Err(_) if both_versions => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
            Err(_) => return Err(PortsError::Address(request.host_ip.clone())),
        };
        let protocol = Protocol::of(request);
        Ok(Self { protocol, container_port, addresses, both_versions, first, last: last.max(first) })
    }

    fn will_do(&self, port: u16) -> bool {
        self.first == 0 || (self.first..=self.last).contains(&port)
    }

    /// Whether a host that has no such address does without it.
    fn is_spare(&self, address: IpAddr) -> bool {
        self.both_versions && address.is_ipv6()
    }
}

/// Takes what a container has already out of `had`, if it is what is wanted.
pub(super) fn keep(wanted: &Wanted, had: &mut Vec<Open>) -> Option<Vec<Open>> {
    let is_it = |open: &Open, address: IpAddr| {
        open.protocol == wanted.protocol
            && open.container_port == wanted.container_port
            && open.at.ip() == address
            && !open.task.is_finished()
    };
    let first = *wanted.addresses.first()?;
    let port = had.iter().find(|open| is_it(open, first) && wanted.will_do(open.at.port()))?.at.port();
    let mut kept = Vec::new();
    for address in &wanted.addresses {
        if let Some(index) = had.iter().position(|open| is_it(open, *address) && open.at.port() == port) {
            kept.push(had.swap_remove(index));
        }
    }
    Some(kept)
}

/// Opens sockets on all addresses, with one number.
pub(super) fn bind(
    wanted: &Wanted,
    container_ip: &str,
    taken: &[(Protocol, SocketAddr)],
) -> Result<Vec<(SocketAddr, Socket)>, PortsError> {
    let told = |failed: Failed| failed.told(wanted, container_ip);
    if wanted.first == 0 {
        for _ in 1..TRIES {
            if let Ok(bound) = bind_all(wanted, 0, taken) {
                return Ok(bound);
            }
        }
        return bind_all(wanted, 0, taken).map_err(told);
    }
    let is_range = wanted.first != wanted.last;
    let mut last = PortsError::AllAllocated;
    for port in wanted.first..=wanted.last {
        match bind_all(wanted, port, taken).map_err(told) {
            Ok(bound) => return Ok(bound),
            Err(PortsError::Allocated(_)) if is_range => {}
            Err(error @ PortsError::Host { .. }) if is_range => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

enum Failed {
    Allocated(SocketAddr),
    Host(SocketAddr, io::Error),
}

impl Failed {
    fn told(self, wanted: &Wanted, container_ip: &str) -> PortsError {
        let (at, source) = match self {
            Self::Allocated(at) => return PortsError::Allocated(at),
            Self::Host(at, source) => (at, source),
        };
        let hint = match source.kind() {
            io::ErrorKind::AddrInUse => holder::of(wanted.protocol, at).unwrap_or_default(),
            io::ErrorKind::PermissionDenied => socket::WHY_DENIED.to_owned(),
            _ => String::new(),
        };
        let container = SocketAddr::from((
            container_ip.parse::<IpAddr>().unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
            wanted.container_port,
        ));
        PortsError::Host { at, container: container.to_string(), protocol: wanted.protocol.word(), hint, source }
    }
}

fn bind_all(
    wanted: &Wanted,
    mut port: u16,
    taken: &[(Protocol, SocketAddr)],
) -> Result<Vec<(SocketAddr, Socket)>, Failed> {
    let mut bound = Vec::new();
    for address in &wanted.addresses {
        let at = SocketAddr::new(*address, port);
        if taken.iter().any(|(protocol, other)| *protocol == wanted.protocol && conflict(at, *other)) {
            return Err(Failed::Allocated(at));
        }
        match socket::open(wanted.protocol, at) {
            Ok((at, socket)) => {
                port = at.port();
                bound.push((at, socket));
            }
            Err(error) if wanted.is_spare(*address) && error.kind() != io::ErrorKind::AddrInUse => {
                tracing::debug!(%at, %error, "published without IPv6");
            }
            Err(error) => return Err(Failed::Host(at, error)),
        }
    }
    Ok(bound)
}

/// Whether two cannot be at once.
fn conflict(one: SocketAddr, other: SocketAddr) -> bool {
    let meets = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && one.is_ipv4() == other.is_ipv4() && meets
}
