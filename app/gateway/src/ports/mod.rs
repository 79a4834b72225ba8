//! Published ports: sockets of the host that lead to ports of containers.
//!
//! * [`Ports`] — which container has which; all of a container's or none.
//! * [`bind`] — which addresses and numbers, by moby's rules. [`socket`] — the sockets themselves.
//! * [`connections`] — TCP: each connection is a raw stream to the agent. [`datagrams`] — UDP: each client is one.
//! * [`holder`] — who else has a port.
//!
//! A container that is started again asks again, and keeps what it has. A port is free again when the answer to
//! [`Ports::unpublish`] has come.

mod bind;
mod connections;
mod datagrams;
mod holder;
mod socket;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, io, net::SocketAddr, sync::Arc};

use cove_proto::v1::{PortProtocol, PortRequest, PublishStream, PublishedPort, StreamHeader, stream_header::Kind};
use tokio::{sync::Mutex, task::JoinHandle};

use self::bind::Wanted;
use crate::streams::Streams;

/// Why a port cannot be published, in moby's words.
#[derive(Debug, thiserror::Error)]
pub enum PortsError {
    /// It makes no sense.
    #[error("invalid host address for a published port: {0:?}")]
    Address(String),
    /// No such number or protocol.
    #[error("invalid port specification: \"{0}\"")]
    Number(u32),
    /// Another container has it.
    #[error("Bind for {}:{} failed: port is already allocated", .0.ip(), .0.port())]
    Allocated(SocketAddr),
    /// Other containers have all of the range.
    #[error("all ports are allocated")]
    AllAllocated,
    /// The host says no.
    #[error("failed to bind host port for {at}:{container}/{protocol}: {}", said(.source, .hint))]
    Host {
        /// Where.
        at: SocketAddr,
        /// Address and port of the container.
        container: String,
        /// "tcp" or "udp".
        protocol: &'static str,
        /// Who has it, or what to do; empty if neither is known.
        hint: String,
        /// Why.
        source: io::Error,
    },
}

/// The system's words as Go has them, and what else is known.
fn said(source: &io::Error, hint: &str) -> String {
    let words = match source.kind() {
        io::ErrorKind::AddrInUse => "address already in use".to_owned(),
        io::ErrorKind::AddrNotAvailable => "cannot assign requested address".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => source.to_string(),
    };
    if hint.is_empty() { words } else { format!("{words} ({hint})") }
}

/// Which protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    fn of(request: &PortRequest) -> Self {
        if request.protocol() == PortProtocol::Udp { Self::Udp } else { Self::Tcp }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }

    fn told(self) -> PortProtocol {
        match self {
            Self::Tcp => PortProtocol::Tcp,
            Self::Udp => PortProtocol::Udp,
        }
    }
}

/// A port that is open.
#[derive(Debug)]
struct Open {
    at: SocketAddr,
    protocol: Protocol,
    container_port: u16,
    /// Takes clients, until it is aborted. The socket is its.
    task: JoinHandle<()>,
}

impl Open {
    fn told(&self) -> PublishedPort {
        PublishedPort {
            protocol: self.protocol.told().into(),
            container_port: self.container_port.into(),
            host_ip: self.at.ip().to_string(),
            host_port: self.at.port().into(),
        }
    }

    /// Closes the socket, and answers when it is closed.
    async fn close(mut self) {
        self.task.abort();
        // What it says is that it was aborted.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Who a port leads to.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    container: Arc<str>,
    protocol: Protocol,
    port: u16,
    streams: Streams,
}

impl Target {
    /// The header of a client's stream.
    fn header(&self, client: SocketAddr) -> StreamHeader {
        let client_ip = match client.ip().to_canonical() {
            std::net::IpAddr::V4(ip) => ip.octets().to_vec(),
            std::net::IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        let publish = PublishStream {
            container_id: self.container.to_string(),
            protocol: self.protocol.told().into(),
            container_port: self.port.into(),
            client_ip,
            client_port: client.port().into(),
        };
        StreamHeader { kind: Some(Kind::Publish(publish)) }
    }
}

/// The published ports of one machine's containers.
#[derive(Debug)]
pub struct Ports {
    streams: Streams,
    /// By container.
    open: Mutex<BTreeMap<String, Vec<Open>>>,
}

impl Ports {
    /// None yet; clients go by these streams.
    #[must_use]
    pub fn new(streams: Streams) -> Self {
        Self { streams, open: Mutex::default() }
    }

    /// Opens the ports of a container, all or none. What it has already stays open where it is asked for again.
    ///
    /// # Errors
    /// If one cannot be opened; the container has then none.
    pub async fn publish(
        &self,
        container: &str,
        container_ip: &str,
        requests: &[PortRequest],
    ) -> Result<Vec<PublishedPort>, PortsError> {
        let mut all = self.open.lock().await;
        let mut had = all.remove(container).unwrap_or_default();
        let mut opened: Vec<Open> = Vec::new();
        let mut failed = None;
        for request in requests {
            let wanted = Wanted::parse(request);
            match wanted.and_then(|wanted| self.open_one(container, container_ip, &wanted, &all, &mut had, &opened)) {
                Ok(more) => opened.extend(more),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let told = opened.iter().map(Open::told).collect();
        let close = if failed.is_some() { had.into_iter().chain(std::mem::take(&mut opened)).collect() } else { had };
        for open in close {
            open.close().await;
        }
        if let Some(error) = failed {
            return Err(error);
        }
        all.insert(container.to_owned(), opened);
        Ok(told)
    }

    /// Closes the ports of a container.
    pub async fn unpublish(&self, container: &str) {
        let mut all = self.open.lock().await;
        for open in all.remove(container).unwrap_or_default() {
            open.close().await;
        }
    }

    /// Closes all.
    pub async fn close(&self) {
        for (_, ports) in std::mem::take(&mut *self.open.lock().await) {
            for open in ports {
                open.close().await;
            }
        }
    }

    fn open_one(
        &self,
        container: &str,
        container_ip: &str,
        wanted: &Wanted,
        others: &BTreeMap<String, Vec<Open>>,
        had: &mut Vec<Open>,
        own: &[Open],
    ) -> Result<Vec<Open>, PortsError> {
        if let Some(kept) = bind::keep(wanted, had) {
            return Ok(kept);
        }
        let taken: Vec<(Protocol, SocketAddr)> =
            others.values().flatten().chain(own).map(|open| (open.protocol, open.at)).collect();
        let sockets = bind::bind(wanted, container_ip, &taken)?;
        let target = Target {
            container: container.into(),
            protocol: wanted.protocol,
            port: wanted.container_port,
            streams: self.streams.clone(),
        };
        let serve = |(at, socket): (SocketAddr, socket::Socket)| {
            let task = match socket {
                socket::Socket::Tcp(listener) => tokio::spawn(connections::serve(listener, target.clone())),
                socket::Socket::Udp(socket) => tokio::spawn(datagrams::serve(socket, target.clone())),
            };
            Open { at, protocol: wanted.protocol, container_port: wanted.container_port, task }
        };
        Ok(sockets.into_iter().map(serve).collect())
    }
}
