//! Connections and pings on their way out: each waits in the [`queue`](super::queue) until the host has made it, and is
//! then let through to the agent's own listener, or refused as the host was.
//!
//! ```text
//!  SYN ──► waiting ──host: connected──► let through ──accepted──► relayed ──► (gone)
//!             │                             └──not accepted in time──────────► (gone)
//!             └──host: refused, unreachable, nobody answers──────────────────► (gone)
//! ```
//!
//! A SYN that comes again meanwhile is dropped: it is of the same connection.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cove_proto::streams::Ended;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::{Duration, timeout},
};

use super::{
    Egress,
    icmp::echo_reply,
    outside::{Refused, Target},
    packet::{self, Echo, Opening, Pair},
    queue::{Queue, Waiting},
    rules::Mark,
};

/// How many connections of a container may wait at a time. What is too much comes again a second later.
const PER_CONTAINER: usize = 1024;
/// How long a connection that was let through may take to be accepted: its last packet may have been lost twice.
const PATIENCE: Duration = Duration::from_secs(10);
/// After a connection could not be accepted, for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Connections that are not relayed yet.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<HashMap<Pair, Held>>);

#[derive(Debug)]
struct Held {
    container: Arc<str>,
    /// Takes the socket when it is accepted.
    accepted: oneshot::Sender<TcpStream>,
}

impl Gate {
    fn held(&self) -> MutexGuard<'_, HashMap<Pair, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes one; nothing if it waits already, or the container has too many.
    fn hold(self: &Arc<Self>, pair: Pair, container: &Arc<str>) -> Option<(Place, oneshot::Receiver<TcpStream>)> {
        let mut held = self.held();
        let own = held.values().filter(|other| other.container == *container).count();
        if held.contains_key(&pair) || own >= PER_CONTAINER {
            return None;
        }
        let (accepted, socket) = oneshot::channel();
        held.insert(pair, Held { container: Arc::clone(container), accepted });
        Some((Place { gate: Arc::clone(self), pair }, socket))
    }

    /// Who waits for a connection that was accepted; nobody, if a process of the guest's own network marked it itself.
    fn take(&self, pair: &Pair) -> Option<oneshot::Sender<TcpStream>> {
        self.held().remove(pair).map(|held| held.accepted)
    }
}

/// A place among those that wait; it is free when this is dropped.
struct Place {
    gate: Arc<Gate>,
    pair: Pair,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gate.held().remove(&self.pair);
    }
}

impl Egress {
    /// Decides about what waits in the queue, for as long as the agent lives.
    pub(super) async fn decide(self, queue: Arc<Queue>) {
        loop {
            match queue.next().await {
                Ok(packets) => packets.into_iter().for_each(|waiting| self.decide_one(&queue, waiting)),
                Err(error) => {
                    tracing::error!(%error, "the packets that wait cannot be read");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn decide_one(&self, queue: &Arc<Queue>, waiting: Waiting) {
        let verdict = Verdict { queue: Arc::clone(queue), id: waiting.id };
        match packet::parse(&waiting.bytes) {
            Some(Opening::Connection(pair)) => {
                let container = self.container_at(pair.from.ip());
                match self.gate.hold(pair, &container) {
                    Some((place, socket)) => {
                        tokio::spawn(self.clone().connect(verdict, place, container, socket));
                    }
                    None => verdict.forget(),
                }
            }
            Some(Opening::Echo(echo)) => match Arc::clone(&self.pings).try_acquire_owned() {
                Ok(permit) => {
                    let egress = self.clone();
                    tokio::spawn(async move {
                        egress.ping(verdict, echo).await;
                        drop(permit);
                    });
                }
                Err(_) => verdict.forget(),
            },
            None => verdict.forget(),
        }
    }

    async fn connect(self, verdict: Verdict, place: Place, container: Arc<str>, socket: oneshot::Receiver<TcpStream>) {
        let to = place.pair.to;
        let target = match super::target(to) {
            Some(target) => target,
            None => return verdict.mark(Mark::HostUnreachable),
        };
        if target == Target::NameServer {
            verdict.mark(Mark::Taken);
            if let Some(client) = accepted(place, socket).await {
                self.name_server(&container).answer_client(client).await;
            }
            return;
        }
        match self.outside.connect(&container, target).await {
            Ok(stream) => {
                verdict.mark(Mark::Taken);
                // What is not accepted is given up with its stream, which the host sees as a reset.
                let Some(mut client) = accepted(place, socket).await else { return };
                let _ = client.set_nodelay(true);
                if stream.relay(&mut client).await != Ended::Well {
                    // The container learns that it was cut, too.
                    let _ = client.set_zero_linger();
                }
            }
            Err(refused) => verdict.refuse(refused),
        }
    }

    async fn ping(&self, verdict: Verdict, echo: Echo) {
        let Some(target) = super::target(SocketAddr::new(echo.to, 0)) else {
            return verdict.mark(Mark::HostUnreachable);
        };
        // Who answers questions is no host.
        let pinged = match target {
            Target::NameServer => Ok(()),
            target => self.outside.ping(&self.container_at(echo.from), target, &echo).await,
        };
        match pinged {
            Ok(()) => {
                verdict.forget();
                if let Err(error) = self.mouth.say(echo.to, echo.from, &echo_reply(&echo)) {
                    tracing::debug!(%error, "a ping's answer was not sent");
                }
            }
            Err(refused) => verdict.refuse(refused),
        }
    }

    /// Accepts what was let through, for as long as the agent lives.
    pub(super) async fn accept(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((client, from)) => self.accept_one(client, from),
                Err(error) => {
                    tracing::warn!(%error, "a connection to the outside was not accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn accept_one(&self, client: TcpStream, from: SocketAddr) {
        let unwanted = match client.local_addr() {
            Ok(to) => match self.gate.take(&Pair { from, to }) {
                Some(waiting) => waiting.send(client).err(),
                None => Some(client),
            },
            Err(_) => None,
        };
        if let Some(client) = unwanted {
            let _ = client.set_zero_linger();
        }
    }
}

async fn accepted(place: Place, socket: oneshot::Receiver<TcpStream>) -> Option<TcpStream> {
    let accepted = timeout(PATIENCE, socket).await;
    drop(place);
    accepted.ok()?.ok()
}

/// What is to be said about a packet that waits.
struct Verdict {
    queue: Arc<Queue>,
    id: u32,
}

impl Verdict {
    fn refuse(&self, refused: Refused) {
        match mark_of(refused) {
            Some(mark) => self.mark(mark),
            None => self.forget(),
        }
    }

    fn mark(&self, mark: Mark) {
        said(self.queue.mark(self.id, mark));
    }

    fn forget(&self) {
        said(self.queue.forget(self.id));
    }
}

fn said(verdict: io::Result<()>) {
    if let Err(error) = verdict {
        tracing::warn!(%error, "the kernel does not hear what is to become of a packet");
    }
}

/// How the kernel says what the host was told; silence, if nobody answered the host.
fn mark_of(refused: Refused) -> Option<Mark> {
    match refused {
        Refused::Errno(libc::ECONNREFUSED) => Some(Mark::Refused),
        Refused::Errno(libc::ENETUNREACH) => Some(Mark::NetworkUnreachable),
        Refused::Errno(libc::EACCES) => Some(Mark::Forbidden),
        Refused::Errno(libc::ETIMEDOUT) | Refused::NobodyThere => None,
        Refused::Errno(_) => Some(Mark::HostUnreachable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(port: u16) -> Pair {
        Pair { from: ([10, 0, 0, 2], port).into(), to: ([198, 51, 100, 1], 80).into() }
    }

    #[test]
    fn a_connection_waits_once_and_a_container_has_its_share() {
        let gate = Arc::new(Gate::default());
        let (greedy, other): (Arc<str>, Arc<str>) = ("greedy".into(), "other".into());
        let share = u16::try_from(PER_CONTAINER).unwrap();
        let places: Vec<_> = (0..share).map(|port| gate.hold(pair(port), &greedy).unwrap()).collect();
        assert!(gate.hold(pair(share), &greedy).is_none());
        let place = gate.hold(pair(share), &other).unwrap();
        assert!(gate.hold(pair(share), &other).is_none(), "it waits already");
        drop(place);
        assert!(gate.hold(pair(share), &other).is_some());
        drop(places);
        assert!(gate.held().is_empty());
    }

    #[test]
    fn what_the_host_was_told_is_said_again_and_silence_stays_silence() {
        for (errno, mark) in [
            (libc::ECONNREFUSED, Some(Mark::Refused)),
            (libc::EHOSTUNREACH, Some(Mark::HostUnreachable)),
            (libc::ENETUNREACH, Some(Mark::NetworkUnreachable)),
            (libc::EACCES, Some(Mark::Forbidden)),
            (libc::ETIMEDOUT, None),
            (libc::EMFILE, Some(Mark::HostUnreachable)),
        ] {
            assert_eq!(mark_of(Refused::Errno(errno)), mark, "{errno}");
        }
        assert_eq!(mark_of(Refused::NobodyThere), None);
    }
}
