//! UDP on its way out: a flow for each port that somebody sends from, whomever to, which ends when it is idle.

use std::{
    collections::{HashMap, hash_map::Entry},
    io,
    net::{SocketAddr, UdpSocket},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cove_proto::streams::frames::{Reader, Writer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
    time::{Duration, Instant},
};

use super::{
    Egress,
    icmp::port_unreachable,
    outside::{Refused, Target},
    sockets::{self, Ear, Heard},
};

/// How long a flow lives that nobody uses: RFC 4787 asks for two minutes at least ...
const IDLE: Duration = Duration::from_secs(120);
/// ... but not for questions to name servers, which nobody asks twice.
const IDLE_QUESTION: Duration = Duration::from_secs(30);
const QUESTIONS: u16 = 53;
/// How many flows there may be, of all containers together.
const MOST: usize = 8192;
/// Datagrams that a flow may have waiting for the host; what is too much is lost, as datagrams are.
const WAITING: usize = 64;
/// Names that a flow answers in, before the oldest sockets are let go.
const VOICES: usize = 64;
/// The longest datagram.
const LONGEST: usize = 65_535;

/// The flows, by who sends.
#[derive(Debug, Default)]
pub(super) struct Flows(Mutex<Senders>);

type Senders = HashMap<SocketAddr, mpsc::Sender<(SocketAddr, Vec<u8>)>>;
type Outgoing = mpsc::Receiver<(SocketAddr, Vec<u8>)>;

impl Flows {
    fn all(&self) -> MutexGuard<'_, Senders> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a datagram to its flow. Gives back what a new flow is to carry.
    fn hand(&self, heard: Heard) -> Option<Outgoing> {
        let mut flows = self.all();
        let (datagram, has_room) = ((heard.to, heard.data), flows.len() < MOST);
        match flows.entry(heard.from) {
            Entry::Occupied(flow) => {
                let _ = flow.get().try_send(datagram);
                None
            }
            Entry::Vacant(place) if has_room => {
                let (to, outgoing) = mpsc::channel(WAITING);
                let _ = to.try_send(datagram);
                place.insert(to);
                Some(outgoing)
            }
            Entry::Vacant(_) => None,
        }
    }
}

impl Egress {
    /// Hears datagrams to the outside, for as long as the agent lives.
    pub(super) async fn hear(self, ear: Ear) {
        let mut buffer = vec![0; LONGEST];
        loop {
            match ear.next(&mut buffer).await {
                Ok(heard) => self.heard(heard),
                Err(error) => tracing::debug!(%error, "a datagram was not heard"),
            }
        }
    }

    fn heard(&self, heard: Heard) {
        let (from, to) = (heard.from, heard.to);
        match super::target(to) {
            None => {}
            Some(Target::NameServer) => {
                let server = self.name_server(&self.container_at(from.ip()));
                let Ok(permit) = Arc::clone(&self.questions).try_acquire_owned() else { return };
                tokio::spawn(async move {
                    if let Some(answer) = server.answer(&heard.data, false).await {
                        let _ = sockets::in_the_name_of(to).and_then(|socket| socket.send_to(&answer, from));
                    }
                    drop(permit);
                });
            }
            Some(target) => {
                let Some(outgoing) = self.flows.hand(heard) else { return };
                let egress = self.clone();
                tokio::spawn(async move {
                    if let Err(refused) = egress.carry(from, target, outgoing).await {
                        egress.refuse(from, to, refused);
                    }
                    egress.flows.all().remove(&from);
                });
            }
        }
    }

    /// Carries a flow until it is idle.
    async fn carry(&self, from: SocketAddr, target: Target, outgoing: Outgoing) -> Result<(), Refused> {
        let container = self.container_at(from.ip());
        let stream = self.outside.datagrams(&container, target).await?;
        let mut voices = Voices { to: from, sockets: HashMap::new() };
        carry(stream.into_halves(), outgoing, |from, data| {
            if let Err(error) = voices.say(from, data) {
                tracing::debug!(%error, "a datagram did not reach its container");
            }
        })
        .await;
        Ok(())
    }

    /// Says that nobody has the port, if that is what the host was told.
    fn refuse(&self, from: SocketAddr, to: SocketAddr, refused: Refused) {
        if refused == Refused::Errno(libc::ECONNREFUSED) {
            let _ = self.mouth.say(to.ip(), from.ip(), &port_unreachable(from, to));
        }
    }
}

/// Carries datagrams in both directions until none has come for a while, or the host leaves.
async fn carry<R: AsyncRead + Unpin + Send + 'static, W: AsyncWrite + Unpin>(
    (reader, mut writer): (Reader<R>, Writer<W>),
    mut outgoing: Outgoing,
    mut answer: impl FnMut(Target, &[u8]),
) {
    let (to, mut incoming) = mpsc::channel(WAITING);
    // A message must be read whole, so it is not read where others are waited for too.
    let _reading = AbortOnDrop(tokio::spawn(read(reader, to)));
    let mut idle = IDLE_QUESTION;
    let mut until = Instant::now() + idle;
    loop {
        tokio::select! {
            datagram = outgoing.recv() => {
                let Some((to, data)) = datagram else { break };
                if to.port() != QUESTIONS {
                    idle = IDLE;
                }
                // Each may be for another one; what has no host is lost.
                let Some(message) = super::target(to).and_then(|target| target.encode(&data)) else { continue };
                if writer.message(&message).await.is_err() {
                    break;
                }
            }
            message = incoming.recv() => {
                let Some(message) = message else { break };
                if let Some((from, data)) = Target::decode(&message) {
                    answer(from, data);
                }
            }
            () = tokio::time::sleep_until(until) => break,
        }
        until = Instant::now() + idle;
    }
    let _ = writer.end().await;
}

/// Reads what the host has until it leaves.
async fn read<R: AsyncRead + Unpin>(mut reader: Reader<R>, to: mpsc::Sender<Vec<u8>>) {
    let mut message = Vec::new();
    while let Ok(true) = reader.message(&mut message, cove_proto::datagrams::LONGEST).await {
        // What nobody takes is lost, as datagrams are.
        if let Err(mpsc::error::TrySendError::Closed(_)) = to.try_send(std::mem::take(&mut message)) {
            return;
        }
    }
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Answers in the names of those who were asked.
struct Voices {
    to: SocketAddr,
    sockets: HashMap<SocketAddr, UdpSocket>,
}

impl Voices {
    fn say(&mut self, from: Target, data: &[u8]) -> io::Result<()> {
        let name = from.address(self.to.is_ipv4());
        if name.is_ipv4() != self.to.is_ipv4() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if self.sockets.len() == VOICES {
            self.sockets.clear();
        }
        let socket = match self.sockets.entry(name) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(sockets::in_the_name_of(name)?),
        };
        socket.send_to(data, self.to).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use cove_proto::streams::Stream;

    use super::*;

    fn heard(from: u16, to: u16) -> Heard {
        Heard { from: ([10, 0, 0, 2], from).into(), to: ([198, 51, 100, 1], to).into(), data: b"d".to_vec() }
    }

    #[tokio::test]
    async fn a_port_has_one_flow_whomever_it_sends_to() {
        let flows = Flows::default();
        let mut outgoing = flows.hand(heard(4000, 53)).unwrap();
        assert!(flows.hand(heard(4000, 54)).is_none());
        assert!(flows.hand(heard(4001, 53)).is_some());
        let ports = [outgoing.recv().await.unwrap().0.port(), outgoing.recv().await.unwrap().0.port()];
        assert_eq!(ports, [53, 54]);
        for _ in 0..WAITING + 5 {
            assert!(flows.hand(heard(4000, 53)).is_none(), "what is too much is lost");
        }
        assert_eq!(outgoing.len(), WAITING);
    }

    /// How long a flow lives whose last datagram goes to a port.
    async fn life(port: u16) -> Duration {
        let (ours, theirs) = tokio::io::duplex(1 << 17);
        let (to, outgoing) = mpsc::channel(WAITING);
        let (_keeps_open, mut host) = Stream::host(theirs).into_halves();
        let answering = async {
            to.send((([198, 51, 100, 1], port).into(), vec![1; 65_000])).await.unwrap();
            let answer = Target::Host { port: 9 }.encode(&[2; 65_000]).unwrap();
            host.message(&answer).await.unwrap();
        };
        let begin = Instant::now();
        let mut answers = Vec::new();
        let ours = Stream::guest(ours).into_halves();
        tokio::join!(carry(ours, outgoing, |from, data| answers.push((from, data.len()))), answering);
        assert_eq!(answers, [(Target::Host { port: 9 }, 65_000)]);
        begin.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_flow_ends_and_one_of_questions_sooner() {
        assert_eq!((life(53).await, life(443).await), (IDLE_QUESTION, IDLE));
    }
}
