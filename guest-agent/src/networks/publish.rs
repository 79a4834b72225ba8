//! Published ports: asking the host for them, and taking their clients to the container.
//!
//! The host has the sockets; what it opened is noted with the container's places. A daemon that comes back opens the same
//! again ([`Networks::keep_published`]). A container that is started again asks while it still has them, and keeps them.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use cove_proto::{
    streams::Ended,
    v1::{
        PortProtocol, PortRequest, PublishPorts, PublishStream, PublishedPort, UnpublishPorts,
        serve_guest_request::Answer, serve_guest_response::Request,
    },
};
use futures::future::BoxFuture;
use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

use super::{
    Endpoint, Networks, NetworksError, Sandbox, State,
    egress::{address, sockets},
    endpoint::Port,
    listeners,
};
use crate::host::{AskError, Host, Raw, streams::Publish};

/// The longest datagram.
const LARGEST: usize = 65_535;

impl Networks {
    /// Opens the ports of a container that has its places already. Networks that are internal have none.
    ///
    /// # Errors
    /// If the host says no, in moby's words, or is not there.
    pub async fn publish(&self, container: &str, name: &str, wanted: &[PortRequest]) -> Result<(), NetworksError> {
        let Some((endpoint, address)) = self.0.state().way_in(container, true) else { return Ok(()) };
        let Some(host) = self.0.host.get().filter(|_| !wanted.is_empty()) else { return Ok(()) };
        self.0.state().published.insert(container.to_owned());
        let asked = PublishPorts {
            container_id: container.to_owned(),
            ports: wanted.to_vec(),
            container_ip: address.to_string(),
        };
        let opened = open(host, asked).await.map_err(|source| {
            self.0.state().published.remove(container);
            let external = NetworksError::External { name: name.to_owned(), endpoint: endpoint.id, source };
            NetworksError::SetUp(Box::new(external))
        })?;
        let noted = {
            let mut state = self.0.state();
            let Some(held) = state.sandboxes.get_mut(container) else { return Ok(()) };
            held.sandbox.ports = opened;
            held.sandbox.clone()
        };
        self.0.note(container, &noted)
    }

    /// Closes the ports of a container, if it has any.
    pub async fn unpublish(&self, container: &str) {
        if !self.0.state().published.remove(container) {
            return;
        }
        let Some(host) = self.0.host.get() else { return };
        let asked = UnpublishPorts { container_id: container.to_owned() };
        // A host that is not there has none open.
        if let Err(error) = host.tell(Request::Unpublish(asked)).await {
            tracing::warn!(container, %error, "ports stay open");
        }
    }

    /// Has each daemon that comes open what the one before had open.
    pub async fn keep_published(self) {
        let Some(host) = self.0.host.get().cloned() else { return };
        let mut daemons = host.daemons();
        while daemons.another().await {
            let all: Vec<(String, Sandbox)> = {
                let state = self.0.state();
                let open = state.sandboxes.iter().filter(|(_, held)| !held.sandbox.ports.is_empty());
                open.map(|(container, held)| (container.clone(), held.sandbox.clone())).collect()
            };
            for (container_id, sandbox) in all {
                let container = container_id.clone();
                let ports = sandbox.ports.iter().map(Port::again).collect();
                let asked = PublishPorts { container_id, ports, container_ip: String::new() };
                if let Err(error) = open(&host, asked).await {
                    tracing::warn!(container, %error, "ports of a container cannot be opened again");
                }
            }
        }
    }
}

async fn open(host: &Host, asked: PublishPorts) -> Result<Vec<Port>, AskError> {
    match host.ask(Request::Publish(asked)).await? {
        Answer::Published(opened) => Ok(opened.ports.iter().filter_map(Port::of).collect()),
        _ => Err(AskError::Left),
    }
}

impl Port {
    /// What the host says; nothing if it makes no sense.
    fn of(told: &PublishedPort) -> Option<Self> {
        Some(Self {
            is_udp: told.protocol() == PortProtocol::Udp,
            container: told.container_port.try_into().ok()?,
            host_ip: told.host_ip.parse().ok()?,
            host: told.host_port.try_into().ok()?,
        })
    }

    fn protocol(self) -> PortProtocol {
        if self.is_udp { PortProtocol::Udp } else { PortProtocol::Tcp }
    }

    /// To clients of the API.
    #[must_use]
    pub fn told(&self) -> PublishedPort {
        PublishedPort {
            protocol: self.protocol().into(),
            container_port: self.container.into(),
            host_ip: self.host_ip.to_string(),
            host_port: self.host.into(),
        }
    }

    /// The request for the same.
    fn again(&self) -> PortRequest {
        PortRequest {
            protocol: self.protocol().into(),
            container_port: self.container.into(),
            host_ip: self.host_ip.to_string(),
            host_port: self.host.into(),
            host_port_end: self.host.into(),
        }
    }
}

impl State {
    /// By which of its places a container is reached from the host, and its address there: that of its way out, of the
    /// version that is asked for if it has one.
    fn way_in(&self, container: &str, is_ipv4: bool) -> Option<(Endpoint, IpAddr)> {
        let sandbox = &self.sandboxes.get(container)?.sandbox;
        let is_open = |endpoint: &&Endpoint| {
            let network = self.networks.get(&endpoint.network);
            network.is_some_and(|network| network.is_bridge() && !network.record.internal)
        };
        let mut open: Vec<&Endpoint> = sandbox.endpoints.iter().filter(is_open).collect();
        open.sort_by_key(|endpoint| std::cmp::Reverse(endpoint.priority));
        let with = |family: Option<bool>| {
            open.iter().find_map(|endpoint| {
                let address = endpoint.addresses().find(|address| family.is_none_or(|v4| address.is_ipv4() == v4))?;
                Some(((*endpoint).clone(), address))
            })
        };
        with(Some(is_ipv4)).or_else(|| with(None))
    }

    /// Whether an address is that of somebody beyond the guest: what is sent there from a container comes to the agent.
    fn is_outside(&self, address: IpAddr) -> bool {
        let records = self.networks.values().map(|network| &network.record);
        let mut pools = records.flat_map(|record| [record.pool(true), record.pool(false)]).flatten();
        let of_way_out = [address::SUBNET_V4, address::SUBNET_V6];
        let ours = pools.any(|pool| pool.subnet.contains(address)) || of_way_out.iter().any(|it| it.contains(address));
        let is_link_local = match address {
            IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        !(ours || is_link_local || address.is_loopback() || address.is_unspecified() || address.is_multicast())
    }

    /// Whether the host may lead clients there.
    fn is_published(&self, container: &str, is_udp: bool, port: u16) -> bool {
        let held = self.sandboxes.get(container);
        held.is_some_and(|held| held.sandbox.ports.iter().any(|open| open.is_udp == is_udp && open.container == port))
    }
}

impl Publish for Networks {
    fn client(&self, whose: PublishStream, mut stream: Raw) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Some((source, target)) = self.way(&whose) else { return stream.refuse(libc::ECONNREFUSED).await };
            let socket = match whose.protocol() {
                PortProtocol::Udp => datagrams(source, target).await.map(Socket::Datagrams),
                _ => connection(source, target).await.map(Socket::Connection),
            };
            match socket {
                Err(error) => stream.refuse(error.raw_os_error().unwrap_or(libc::EIO)).await,
                Ok(socket) if stream.answer(0).await.is_ok() => socket.carry(stream).await,
                Ok(_) => {}
            }
        })
    }
}

impl Networks {
    /// From where to where a client is taken: with its own address, if that can be the way back.
    fn way(&self, whose: &PublishStream) -> Option<(Option<SocketAddr>, SocketAddr)> {
        let client = client_of(whose)?;
        let port = u16::try_from(whose.container_port).ok()?;
        let is_udp = whose.protocol() == PortProtocol::Udp;
        if let Some(listener) = self.listener(&whose.container_id, listeners::Port { is_udp, number: port }) {
            return Some((None, listener));
        }
        let state = self.0.state();
        if !state.is_published(&whose.container_id, is_udp, port) {
            return None;
        }
        let (_, address) = state.way_in(&whose.container_id, client.is_ipv4())?;
        let source =
            Some(client).filter(|client| client.is_ipv4() == address.is_ipv4() && state.is_outside(client.ip()));
        Some((source, (address, port).into()))
    }
}

/// Who connected to the host.
fn client_of(whose: &PublishStream) -> Option<SocketAddr> {
    let port = u16::try_from(whose.client_port).ok()?;
    let octets = whose.client_ip.as_slice();
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    let ip = v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()?;
    Some((ip, port).into())
}

enum Socket {
    Connection(TcpStream),
    Datagrams(UdpSocket),
}

/// Connects in the client's name, so that the container sees who it is. What it answers is the agent's again by the rules of
/// the way out. Without a source the bridge's own address is it, the gateway.
async fn connection(source: Option<SocketAddr>, target: SocketAddr) -> io::Result<TcpStream> {
    let first = connect_from(source, target).await;
    let stream = match first {
        // The same client with the same port, at another port of the host: any port of the client's will do.
        Err(error) if matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable) => {
            connect_from(source.map(|source| (source.ip(), 0).into()), target).await?
        }
        first => first?,
    };
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn connect_from(source: Option<SocketAddr>, target: SocketAddr) -> io::Result<TcpStream> {
    let socket = if target.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(source) = source {
        socket.set_reuseaddr(true)?;
        setsockopt(&socket, sockopt::IpTransparent, &true)?;
        socket.bind(source)?;
    }
    socket.connect(target).await
}

async fn datagrams(source: Option<SocketAddr>, target: SocketAddr) -> io::Result<UdpSocket> {
    let socket = match source {
        Some(source) => UdpSocket::from_std(sockets::in_the_name_of(source)?)?,
        None if target.is_ipv4() => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?,
        None => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).await?,
    };
    socket.connect(target).await?;
    Ok(socket)
}

impl Socket {
    async fn carry(self, stream: Raw) {
        match self {
            Self::Connection(mut socket) => {
                if stream.relay(&mut socket).await == Ended::Cut {
                    let _ = socket.set_zero_linger();
                }
            }
            Self::Datagrams(socket) => carry_datagrams(&socket, stream).await,
        }
    }
}

/// Until the host has no more use for it.
async fn carry_datagrams(socket: &UdpSocket, stream: Raw) {
    let (mut reader, mut writer) = stream.into_halves();
    let inward = async {
        let mut message = Vec::new();
        while reader.message(&mut message, LARGEST).await.unwrap_or(false) {
            // A port that nobody listens on says so at the next one; the client hears nothing, as from dockerd.
            let _ = socket.send(&message).await;
        }
    };
    let outward = async {
        let mut buffer = vec![0; LARGEST];
        loop {
            match socket.recv(&mut buffer).await {
                Ok(length) => {
                    if writer.message(&buffer[..length]).await.is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(_) => return,
            }
        }
    };
    tokio::select! {
        () = inward => {}
        () = outward => {}
    }
}
