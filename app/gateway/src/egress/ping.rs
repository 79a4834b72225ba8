//! ICMP echo, as any user of the host may send it: by a socket of the host's ping where it is allowed (macOS; on Linux for
//! the groups of `net.ipv4.ping_group_range`), by a raw one where we may. Windows has neither; nobody answers there.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use socket2::{Domain, Protocol as Kind, SockAddr, Socket, Type};
use tokio::{
    net::UdpSocket,
    time::{Duration, timeout},
};

use super::{Egress, Flow, Protocol, Refusal, Target, connect::LOOPBACK};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest packet.
const LONGEST: usize = 65_536;

/// Types of messages: asked, answered.
const V4: (u8, u8) = (8, 0);
const V6: (u8, u8) = (128, 129);

/// A ping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// Number of it.
    pub sequence: u16,
    /// How many routers it may pass.
    pub hops: u8,
    /// What it carries.
    pub data: Vec<u8>,
}

impl Egress {
    /// Pings for a container; returns when the answer has come, which carries what was sent.
    ///
    /// # Errors
    /// What the host is told; or that there is no answer.
    pub async fn ping(&self, container: &str, target: Target, ping: &Ping) -> Result<(), Refusal> {
        let flow = self.begin(container, Protocol::Ping, target)?;
        let address = match target {
            Target::Address(address) => address.ip(),
            Target::Host { .. } => LOOPBACK[0],
        };
        let answered = timeout(PATIENCE, exchange(address, ping, &flow)).await;
        let failed = match answered {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error,
            Err(_late) => io::ErrorKind::TimedOut.into(),
        };
        // That this host lets nobody ping is no news of the network.
        let refusal = match failed.kind() {
            io::ErrorKind::PermissionDenied => Refusal::TimedOut,
            _ => Refusal::of(&failed),
        };
        flow.failed(refusal, failed.to_string());
        Err(refusal)
    }
}

async fn exchange(to: IpAddr, ping: &Ping, flow: &Flow) -> io::Result<()> {
    let (socket, is_raw) = open(to, ping.hops)?;
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    socket.send(&message(to.is_ipv4(), id, ping)).await?;
    flow.sent(ping.data.len());
    let mut buffer = vec![0; LONGEST];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if is_answer(&buffer[..length], to.is_ipv4(), is_raw.then_some(id), ping) {
            flow.received(ping.data.len());
            return Ok(());
        }
    }
}

/// A socket that pings an address, and whether it hears what others are answered too.
fn open(to: IpAddr, hops: u8) -> io::Result<(UdpSocket, bool)> {
    let (domain, kind) = if to.is_ipv4() { (Domain::IPV4, Kind::ICMPV4) } else { (Domain::IPV6, Kind::ICMPV6) };
    let (socket, is_raw) = match Socket::new(domain, Type::DGRAM, Some(kind)) {
        Ok(socket) => (socket, false),
        Err(_) => (Socket::new(domain, Type::RAW, Some(kind))?, true),
    };
    if to.is_ipv4() {
        socket.set_ttl_v4(hops.max(1).into())?;
    } else {
        socket.set_unicast_hops_v6(hops.max(1).into())?;
    }
    socket.connect(&SockAddr::from(SocketAddr::new(to, 0)))?;
    socket.set_nonblocking(true)?;
    Ok((UdpSocket::from_std(socket.into())?, is_raw))
}

/// A request. The checksum of version 6 is the system's.
fn message(is_ipv4: bool, [high, low]: [u8; 2], ping: &Ping) -> Vec<u8> {
    let kind = if is_ipv4 { V4.0 } else { V6.0 };
    let sequence = ping.sequence.to_be_bytes();
    let mut bytes = vec![kind, 0, 0, 0, high, low, sequence[0], sequence[1]];
    bytes.extend(&ping.data);
    let sum = if is_ipv4 { checksum(&bytes) } else { 0 };
    bytes[2..4].copy_from_slice(&sum.to_be_bytes());
    bytes
}

fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|two| u32::from(u16::from_be_bytes([two[0], *two.get(1).unwrap_or(&0)])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

/// Whether a packet answers a ping. Raw sockets of version 4, and macOS's others, hear the header of IP as well.
fn is_answer(packet: &[u8], is_ipv4: bool, id: Option<[u8; 2]>, ping: &Ping) -> bool {
    let has_header = is_ipv4 && packet.first().is_some_and(|first| first >> 4 == 4);
    let header = if has_header { usize::from(packet[0] & 15) * 4 } else { 0 };
    let Some((head, data)) = packet.get(header..).and_then(|message| message.split_at_checked(8)) else { return false };
    let kind = if is_ipv4 { V4.1 } else { V6.1 };
    let is_own = id.is_none_or(|id| head[4..6] == id);
    head[0] == kind && is_own && head[6..8] == ping.sequence.to_be_bytes() && data == ping.data
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ping() -> Ping {
        Ping { sequence: 3, hops: 64, data: b"payload!x".to_vec() }
    }

    #[test]
    fn answers_are_told_from_what_else_is_heard() {
        let mut answer = message(true, [1, 2], &ping());
        assert_eq!(checksum(&answer), 0, "a message with its checksum sums up to nothing");
        answer[0] = V4.1;
        assert!(is_answer(&answer, true, None, &ping()) && is_answer(&answer, true, Some([1, 2]), &ping()));
        assert!(!is_answer(&answer, true, Some([9, 9]), &ping()), "somebody else's");
        let with_header = [&[0x45; 1], &[0; 19][..], &answer].concat();
        assert!(is_answer(&with_header, true, Some([1, 2]), &ping()));
        assert!(!is_answer(&message(true, [1, 2], &ping()), true, None, &ping()), "the request itself");
        for length in 0..answer.len() {
            assert!(!is_answer(&answer[..length], true, None, &ping()));
        }
    }

    #[tokio::test]
    async fn the_host_answers_where_pings_are_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let egress = Egress::open(folder.path().join("egress.json")).unwrap();
        let answered = egress.ping("c", Target::Host { port: 0 }, &ping()).await;
        match open(LOOPBACK[0], 64) {
            Ok(_) => assert_eq!(answered, Ok(())),
            Err(_) => assert_eq!(answered, Err(Refusal::TimedOut)),
        }
    }
}
