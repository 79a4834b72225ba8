//! The sockets of a container's name server. They are on ports that the kernel chose, to which its rules lead from port 53,
//! so that the container may have a name server of its own there.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener as StdListener, UdpSocket as StdSocket},
    os::fd::OwnedFd,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    runtime::Handle,
    sync::Semaphore,
    task::AbortHandle,
    time::{Duration, timeout},
};

use super::{
    ADDRESS, Reply,
    message::{self, Outcome, Question, Record},
};
use crate::networks::{
    Inner,
    egress::{
        address,
        outside::{self, Resolved},
    },
    namespace,
    nftables::{Batch, Chain, Family, Hook, Policy, goes_to, goes_to_port, protocol_is, redirect},
};

/// The longest datagram that is read.
const LONGEST: usize = 4096;
/// How long a client of TCP may say nothing.
const PATIENCE: Duration = Duration::from_secs(3);
/// How many such clients are served at a time.
const CLIENTS: usize = 64;
/// How many datagrams of a container may wait for answers of the host; moby refuses as many.
const QUESTIONS: usize = 1024;
/// Where others look for it.
const PORT: u16 = 53;

/// A name server; it ends when it is dropped.
#[derive(Debug)]
pub(in crate::networks) struct Resolver(Vec<AbortHandle>);

impl Drop for Resolver {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

/// Who answers a container's questions.
#[derive(Clone)]
pub(in crate::networks) struct Server {
    networks: Weak<Inner>,
    container: Arc<str>,
    turn: Arc<AtomicUsize>,
}

/// Starts the name server of a container. Blocks, on a thread that the runtime knows.
pub(in crate::networks) fn start(inner: &Arc<Inner>, container: &str, inside: &OwnedFd) -> io::Result<Resolver> {
    let (udp, tcp) = namespace::within(inside, || {
        let any_port = SocketAddr::from((ADDRESS, 0));
        let (udp, tcp) = (StdSocket::bind(any_port)?, StdListener::bind(any_port)?);
        lead_to(udp.local_addr()?.port(), tcp.local_addr()?.port())?;
        udp.set_nonblocking(true)?;
        tcp.set_nonblocking(true)?;
        Ok((udp, tcp))
    })?;
    let runtime = Handle::try_current().map_err(io::Error::other)?;
    let _entered = runtime.enter();
    let (udp, tcp) = (UdpSocket::from_std(udp)?, TcpListener::from_std(tcp)?);
    let server = server(Arc::downgrade(inner), container);
    let datagrams = runtime.spawn(server.clone().answer_datagrams(udp)).abort_handle();
    let connections = runtime.spawn(server.accept(tcp)).abort_handle();
    Ok(Resolver(vec![datagrams, connections]))
}

/// Who answers a container's questions, wherever they come in.
pub(in crate::networks) fn server(networks: Weak<Inner>, container: &str) -> Server {
    Server { networks, container: container.into(), turn: Arc::default() }
}

/// Leads questions to these ports, in the network namespace of this thread; instead of where an earlier agent led them.
fn lead_to(udp: u16, tcp: u16) -> io::Result<()> {
    // The place of destination NAT.
    const PRIORITY: i32 = -100;
    let chain = Chain { name: "output", kind: "nat", hook: Hook::Output, priority: PRIORITY, policy: Policy::Accept };
    let mut batch = Batch::new(Family::Ipv4, "cove-names").chain(chain);
    for (protocol, port) in [(libc::IPPROTO_UDP, udp), (libc::IPPROTO_TCP, tcp)] {
        let protocol = u8::try_from(protocol).unwrap_or_default();
        let rule = [goes_to(ADDRESS), protocol_is(protocol), goes_to_port(PORT), redirect(ADDRESS, port)];
        batch = batch.rule("output", &rule);
    }
    batch.commit()
}

impl Server {
    /// The answer to a message; none to what is no question at all, or if there are no networks any more.
    pub(in crate::networks) async fn answer(&self, message: &[u8], by_tcp: bool) -> Option<Vec<u8>> {
        let question = match message::parse(message) {
            Ok(question) => question,
            Err(refused) => return refused.answer(),
        };
        let longest = if by_tcp { usize::from(u16::MAX) } else { question.longest() };
        let inner = self.networks.upgrade()?;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let reply = inner.state().answer(&self.container, &question, turn);
        let (outcome, records) = match reply {
            Reply::Known(outcome, records) => (outcome, records),
            Reply::Outside(servers) => {
                let (name, kind, servers) = (&question.name, question.kind, servers.as_slice());
                match inner.resolve_outside(outside::Question { name, kind, message, by_tcp, servers }).await {
                    Resolved::Message(answer) => return Some(answer),
                    Resolved::Addresses(found) => (Outcome::Found, records(&question, found)),
                    Resolved::Nothing => (Outcome::Failed, Vec::new()),
                }
            }
        };
        Some(question.answer(outcome, &records, longest))
    }

    async fn answer_datagrams(self, socket: UdpSocket) {
        let (socket, places) = (Arc::new(socket), Arc::new(Semaphore::new(QUESTIONS)));
        let mut message = vec![0; LONGEST];
        loop {
            // Errors are those of an earlier answer that reached nobody.
            let Ok((length, from)) = socket.recv_from(&mut message).await else { continue };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let (server, socket, message) = (self.clone(), Arc::clone(&socket), message[..length].to_vec());
            tokio::spawn(async move {
                if let Some(answer) = server.answer(&message, false).await {
                    let _ = socket.send_to(&answer, from).await;
                }
                drop(place);
            });
        }
    }

    /// Each client has a task, so that none makes the others wait.
    async fn accept(self, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(CLIENTS));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let Ok((client, _)) = listener.accept().await else {
                // Of descriptors, which others give back.
                tokio::time::sleep(PATIENCE).await;
                continue;
            };
            let server = self.clone();
            tokio::spawn(async move {
                let _place = place;
                server.answer_client(client).await;
            });
        }
    }

    /// Answers a client until it says nothing, or nonsense, or leaves.
    pub(in crate::networks) async fn answer_client(&self, client: TcpStream) {
        let _ = self.converse(client).await;
    }

    async fn converse(&self, mut client: TcpStream) -> io::Result<()> {
        loop {
            let message = timeout(PATIENCE, read(&mut client)).await??;
            let answer = self.answer(&message, true).await;
            let answer = answer.ok_or(io::ErrorKind::InvalidData)?;
            let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
            let framed = [length.to_be_bytes().as_slice(), &answer].concat();
            timeout(PATIENCE, client.write_all(&framed)).await??;
        }
    }
}

/// Addresses of the outside, as far as they were asked for. The host's loopback is at another address for containers.
fn records(question: &Question, found: Vec<IpAddr>) -> Vec<Record> {
    let mut seen = Vec::new();
    for address in found.into_iter().filter(|address| question.wants(*address)) {
        let address = if address.is_loopback() { address::of_host(address.is_ipv4()) } else { address };
        if !seen.contains(&address) {
            seen.push(address);
        }
    }
    seen.into_iter().map(Record::Address).collect()
}

/// A message behind its length.
async fn read(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut message = vec![0; usize::from(client.read_u16().await?)];
    client.read_exact(&mut message).await?;
    Ok(message)
}
