//! The way out, as the agent asks for it: what is connected is joined with a raw stream, what is not is a refusal.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use cove_proto::{
    datagrams,
    streams::{Ended, OpenError},
    v1::{
        EgressStream, EgressTarget, HostDone, HostRefusal, OpenConnection, OpenDatagrams, ResolveName, ResolvedName,
        SendPing, StreamHeader, serve_guest_request::Answer, stream_header::Kind,
    },
};

use crate::{
    dns::{self, Names},
    egress::{Egress, Refusal, SettingsError, Target, datagrams::Datagrams, datagrams::LONGEST, ping::Ping},
    streams::{GuestStream, Streams},
};

/// The way out; clones share it.
#[derive(Debug, Clone)]
pub struct WayOut {
    egress: Egress,
    names: Names,
}

impl WayOut {
    /// With the settings in a file.
    ///
    /// # Errors
    /// If there is one that is not what it should be.
    pub fn open(settings: PathBuf) -> Result<Self, SettingsError> {
        let egress = Egress::open(settings)?;
        Ok(Self { names: Names::new(egress.clone()), egress })
    }

    /// The connections.
    #[must_use]
    pub fn egress(&self) -> &Egress {
        &self.egress
    }

    /// Connects, and carries bytes until both sides have ended. Nothing is answered if the stream says it all.
    pub async fn connect(&self, flow: u64, asked: OpenConnection, streams: &Streams) -> Option<Answer> {
        let Some(target) = asked.target.as_ref().and_then(target) else {
            return Some(refused(Refusal::HostUnreachable));
        };
        let mut socket = match self.egress.connect(&asked.container_id, target).await {
            Ok(socket) => socket,
            Err(refusal) => return Some(refused(refusal)),
        };
        let stream = match open(flow, streams).await {
            Ok(stream) => stream,
            Err(answer) => return answer,
        };
        if streams.carry(stream, &mut socket).await != Ended::Well {
            // Its other end learns that it was cut.
            let _ = socket.get_ref().set_zero_linger();
        }
        None
    }

    /// Opens a port, and carries datagrams until the agent has no more use for it.
    pub async fn datagrams(&self, flow: u64, asked: OpenDatagrams, streams: &Streams) -> Option<Answer> {
        let Some(target) = asked.target.as_ref().and_then(target) else {
            return Some(refused(Refusal::HostUnreachable));
        };
        let opened = match self.egress.datagrams(&asked.container_id, target) {
            Ok(opened) => opened,
            Err(refusal) => return Some(refused(refusal)),
        };
        match open(flow, streams).await {
            Ok(stream) => {
                carry(stream, &opened).await;
                None
            }
            Err(answer) => answer,
        }
    }

    /// Pings.
    pub async fn ping(&self, asked: SendPing) -> Answer {
        let Some(target) = asked.target.as_ref().and_then(target) else { return refused(Refusal::HostUnreachable) };
        let ping = Ping {
            sequence: u16::try_from(asked.sequence).unwrap_or_default(),
            hops: u8::try_from(asked.hops).unwrap_or(u8::MAX),
            data: asked.data,
        };
        match self.egress.ping(&asked.container_id, target, &ping).await {
            Ok(()) => Answer::Done(HostDone {}),
            Err(refusal) => refused(refusal),
        }
    }

    /// Asks for a name.
    pub async fn resolve(&self, asked: ResolveName) -> Answer {
        let question = dns::Question {
            name: asked.name,
            kind: u16::try_from(asked.kind).unwrap_or_default(),
            message: asked.message,
            by_tcp: asked.by_tcp,
            servers: asked.servers.iter().filter_map(target).collect(),
        };
        match self.names.answer(&question).await {
            dns::Answer::Addresses(found) => {
                let addresses = found.into_iter().map(octets).collect();
                Answer::Resolved(ResolvedName { addresses, ..ResolvedName::default() })
            }
            dns::Answer::Message(message) => Answer::Resolved(ResolvedName { message, ..ResolvedName::default() }),
            dns::Answer::Failed => refused(Refusal::TimedOut),
        }
    }
}

fn refused(refusal: Refusal) -> Answer {
    Answer::Refused(HostRefusal { errno: refusal.errno(), message: refusal.to_string() })
}

fn target(told: &EgressTarget) -> Option<Target> {
    let port = u16::try_from(told.port).ok()?;
    if told.ip.is_empty() {
        return Some(Target::Host { port });
    }
    Some(Target::Address(SocketAddr::new(datagrams::address(&told.ip)?, port)))
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// The stream of a flow. Without one the agent is told to wait no more, unless it has given the flow up itself.
///
/// # Errors
/// With what the agent is to be told.
pub async fn open(flow_id: u64, streams: &Streams) -> Result<GuestStream, Option<Answer>> {
    let header = StreamHeader { kind: Some(Kind::Egress(EgressStream { flow_id })) };
    streams.open(&header).await.map_err(|error| {
        tracing::debug!(%error, flow_id, "a flow has no stream");
        match error {
            OpenError::Refused(_) => None,
            // What is not answered is tried again by who connects.
            OpenError::Stream(_) => Some(refused(Refusal::TimedOut)),
        }
    })
}

/// Carries datagrams in both directions until the agent has ended or is gone.
async fn carry(stream: GuestStream, port: &Datagrams) {
    let (mut reader, mut writer) = stream.into_halves();
    let outward = async {
        let mut message = Vec::new();
        while let Ok(true) = reader.message(&mut message, datagrams::LONGEST).await {
            let Some((address, number, payload)) = datagrams::decode(&message) else { continue };
            let target = address.map_or(Target::Host { port: number }, |ip| Target::Address((ip, number).into()));
            // What is refused is lost, as datagrams are; why is kept.
            let _ = port.send(target, payload).await;
        }
    };
    let inward = async {
        let mut buffer = vec![0; LONGEST];
        loop {
            let (length, from) = port.receive(&mut buffer).await;
            let message = match from {
                Target::Host { port } => datagrams::encode(None, port, &buffer[..length]),
                Target::Address(address) => datagrams::encode(Some(address.ip()), address.port(), &buffer[..length]),
            };
            if writer.message(&message).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = outward => {}
        () = inward => {}
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use cove_proto::streams::Stream;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
        net::{TcpListener, UdpSocket},
        sync::mpsc,
    };

    use super::*;
    use crate::streams::{BoxFuture, Dial, Transport};

    fn way_out(folder: &std::path::Path) -> WayOut {
        WayOut::open(folder.join("egress.json")).unwrap()
    }

    fn host(port: u16) -> Option<EgressTarget> {
        Some(EgressTarget { ip: Vec::new(), port: port.into() })
    }

    /// Streams whose other ends come out here.
    fn streams() -> (Streams, mpsc::UnboundedReceiver<DuplexStream>) {
        struct Guest(mpsc::UnboundedSender<DuplexStream>);
        impl Dial for Guest {
            fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Transport>>> {
                let (ours, theirs) = tokio::io::duplex(1 << 18);
                let dialled = self.0.send(theirs).map_err(io::Error::other);
                Box::pin(async { dialled.map(|()| Box::new(ours) as Box<dyn Transport>) })
            }
        }
        let (to, dialled) = mpsc::unbounded_channel();
        (Streams::new(Guest(to)), dialled)
    }

    /// The agent's side of the stream that has a purpose, with its number.
    async fn taken(mut dialled: mpsc::UnboundedReceiver<DuplexStream>) -> (Stream<DuplexStream>, u64) {
        let (to, mut found) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(stream) = dialled.recv().await {
                let to = to.clone();
                tokio::spawn(async move {
                    let mut stream = Stream::guest(stream);
                    if let Ok(Some(header)) = stream.accept().await {
                        let _ = to.send((stream, header));
                    }
                });
            }
        });
        let (mut stream, header) = found.recv().await.unwrap();
        stream.answer(0).await.unwrap();
        let Some(Kind::Egress(egress)) = header.kind else { panic!("{header:?}") };
        (stream, egress.flow_id)
    }

    #[tokio::test]
    async fn a_connection_is_joined_with_the_stream_of_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let way_out = way_out(folder.path());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = host(listener.local_addr().unwrap().port());
        let (streams, dialled) = streams();
        let asked = OpenConnection { container_id: "c".into(), target };
        let connecting = tokio::spawn(async move { way_out.connect(7, asked, &streams).await });
        let (mut server, _) = listener.accept().await.unwrap();
        let (mut stream, flow) = taken(dialled).await;
        assert_eq!(flow, 7);
        let (mut client, local) = tokio::io::duplex(64);
        let mut local = local;
        let relaying = tokio::spawn(async move { stream.relay(&mut local).await });
        client.write_all(b"ask").await.unwrap();
        client.shutdown().await.unwrap();
        let mut heard = Vec::new();
        server.read_to_end(&mut heard).await.unwrap();
        server.write_all(b"answer after the end").await.unwrap();
        drop(server);
        let mut said = Vec::new();
        client.read_to_end(&mut said).await.unwrap();
        assert_eq!((heard.as_slice(), said.as_slice()), (b"ask".as_slice(), b"answer after the end".as_slice()));
        assert!(matches!(relaying.await.unwrap(), Ended::Well));
        assert_eq!(connecting.await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_refusal_costs_no_stream() {
        let folder = tempfile::tempdir().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let (streams, _dialled) = streams();
        let asked = OpenConnection { container_id: "c".into(), target: host(closed) };
        let Some(Answer::Refused(why)) = way_out(folder.path()).connect(1, asked, &streams).await else {
            panic!("connected")
        };
        assert_eq!(why.errno, 111);
    }

    #[tokio::test]
    async fn without_a_way_to_the_agent_it_is_told_to_wait_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (streams, dialled) = streams();
        drop(dialled);
        let asked = OpenConnection { container_id: "c".into(), target: host(listener.local_addr().unwrap().port()) };
        let answer = way_out(folder.path()).connect(1, asked, &streams).await;
        assert!(matches!(answer, Some(Answer::Refused(HostRefusal { errno: 110, .. }))), "{answer:?}");
    }

    #[tokio::test]
    async fn datagrams_go_and_come_in_messages() {
        let folder = tempfile::tempdir().unwrap();
        let way_out = way_out(folder.path());
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = server.local_addr().unwrap().port();
        let (streams, dialled) = streams();
        let asked = OpenDatagrams { container_id: "c".into(), target: host(port) };
        let carrying = tokio::spawn(async move { way_out.datagrams(8, asked, &streams).await });
        let (mut stream, _) = taken(dialled).await;
        for length in [0, 1, 16_384, 65_507] {
            stream.write_message(&datagrams::encode(None, port, &vec![7; length])).await.unwrap();
            let mut buffer = vec![0; LONGEST];
            let (heard, from) = server.recv_from(&mut buffer).await.unwrap();
            server.send_to(&buffer[..heard], from).await.unwrap();
            let mut message = Vec::new();
            assert!(stream.read_message(&mut message, datagrams::LONGEST).await.unwrap());
            assert_eq!(datagrams::decode(&message), Some((None, port, vec![7; length].as_slice())));
        }
        drop(stream);
        assert_eq!(carrying.await.unwrap(), None);
    }
}
