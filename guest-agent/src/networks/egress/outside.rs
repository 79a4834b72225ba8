//! The host, as the way out knows it: what is asked of it, and what it says.

use std::net::{IpAddr, SocketAddr};

use cove_proto::{
    datagrams,
    v1::{
        EgressTarget, HostRoutes, OpenConnection, OpenDatagrams, ResolveName, SendPing, serve_guest_request::Answer,
        serve_guest_response::Request,
    },
};

use super::{super::subnet::Subnet, address, packet::Echo};
use crate::host::{AskError, Host, Raw};

/// Whom somebody wants to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Target {
    /// The host, at its loopback.
    Host { port: u16 },
    /// Somebody at an address.
    Address(SocketAddr),
    /// The agent, about names.
    NameServer,
}

impl Target {
    /// What it is to containers.
    pub(super) fn address(self, is_ipv4: bool) -> SocketAddr {
        match self {
            Self::Host { port } => (address::of_host(is_ipv4), port).into(),
            Self::Address(address) => address,
            Self::NameServer => (address::of_name_server(), 53).into(),
        }
    }

    /// A datagram to it; nothing if it is not the host's business.
    pub(super) fn encode(self, data: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Host { port } => Some(datagrams::encode(None, port, data)),
            Self::Address(address) => Some(datagrams::encode(Some(address.ip()), address.port(), data)),
            Self::NameServer => None,
        }
    }

    /// A datagram from it.
    pub(super) fn decode(message: &[u8]) -> Option<(Self, &[u8])> {
        let (address, port, data) = datagrams::decode(message)?;
        let target = address.map_or(Self::Host { port }, |address| Self::Address((address, port).into()));
        Some((target, data))
    }

    fn told(self) -> EgressTarget {
        let octets = |ip: IpAddr| match ip {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        match self {
            Self::Address(address) => EgressTarget { ip: octets(address.ip()), port: address.port().into() },
            Self::Host { port } => EgressTarget { ip: Vec::new(), port: port.into() },
            Self::NameServer => EgressTarget::default(),
        }
    }
}

/// Why the host does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// It was told so itself.
    Errno(i32),
    /// There is no host at the moment; who waits may try again.
    NobodyThere,
}

impl From<AskError> for Refused {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Refused { errno, .. } => Self::Errno(errno),
            _ => Self::NobodyThere,
        }
    }
}

/// A question for a name that the host is to answer.
#[derive(Debug)]
pub(in super::super) struct Question<'a> {
    pub(in super::super) name: &'a str,
    pub(in super::super) kind: u16,
    pub(in super::super) message: &'a [u8],
    pub(in super::super) by_tcp: bool,
    /// Whom to ask; the host's own servers if there is none.
    pub(in super::super) servers: &'a [IpAddr],
}

/// What the host says to it.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Resolved {
    /// The addresses of the name.
    Addresses(Vec<IpAddr>),
    /// A server's answer.
    Message(Vec<u8>),
    /// Nobody answers.
    Nothing,
}

/// The host; clones share it.
#[derive(Clone)]
pub(in super::super) struct Outside(Host);

impl Outside {
    pub(in super::super) fn new(host: Host) -> Self {
        Self(host)
    }

    /// Connects.
    pub(super) async fn connect(&self, container: &str, target: Target) -> Result<Raw, Refused> {
        let asked = OpenConnection { container_id: container.to_owned(), target: Some(target.told()) };
        Ok(self.0.ask_for_stream(Request::Connect(asked)).await?)
    }

    /// Opens a flow of datagrams.
    pub(super) async fn datagrams(&self, container: &str, target: Target) -> Result<Raw, Refused> {
        let asked = OpenDatagrams { container_id: container.to_owned(), target: Some(target.told()) };
        Ok(self.0.ask_for_stream(Request::Datagrams(asked)).await?)
    }

    /// Pings.
    pub(super) async fn ping(&self, container: &str, target: Target, echo: &Echo) -> Result<(), Refused> {
        let asked = SendPing {
            container_id: container.to_owned(),
            target: Some(target.told()),
            sequence: echo.sequence.into(),
            hops: echo.hops.into(),
            data: echo.data.clone(),
        };
        self.0.ask(Request::Ping(asked)).await?;
        Ok(())
    }

    /// Asks for a name.
    pub(in super::super) async fn resolve(&self, question: Question<'_>) -> Resolved {
        let server = |ip: &IpAddr| super::target((*ip, 53).into()).map(Target::told);
        let asked = ResolveName {
            name: question.name.to_owned(),
            kind: question.kind.into(),
            message: question.message.to_vec(),
            by_tcp: question.by_tcp,
            servers: question.servers.iter().filter_map(server).collect(),
        };
        match self.0.ask(Request::Resolve(asked)).await {
            Ok(Answer::Resolved(found)) if !found.message.is_empty() => Resolved::Message(found.message),
            Ok(Answer::Resolved(found)) => {
                Resolved::Addresses(found.addresses.iter().filter_map(|octets| datagrams::address(octets)).collect())
            }
            _ => Resolved::Nothing,
        }
    }

    /// Where the host itself goes without a gateway, and by one; nothing if it does not say.
    pub(in super::super) async fn routes(&self) -> Vec<Subnet> {
        match self.0.ask(Request::Routes(HostRoutes {})).await {
            Ok(Answer::Routes(known)) => known.subnets.iter().filter_map(|text| Subnet::parse(text)).collect(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_name_the_host_without_an_address() {
        for target in [Target::Host { port: 7 }, Target::Address("[2001:db8::1]:53".parse().unwrap())] {
            let message = target.encode(b"data").unwrap();
            assert_eq!(Target::decode(&message), Some((target, b"data".as_slice())));
        }
        assert_eq!(Target::NameServer.encode(b"data"), None);
        assert_eq!(Target::Host { port: 7 }.address(true).to_string(), "192.168.65.254:7");
    }
}
