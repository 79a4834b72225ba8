//! Who is connected to what, how much went there, and why others are not connected: in memory, for who asks.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::SystemTime,
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Refusal, Target};

/// How many flows a container may have at a time: more than programs need, less than the host has descriptors.
pub const PER_CONTAINER: usize = 4096;
/// How many failures are kept.
const KEPT: usize = 256;

/// What a flow is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// A connection.
    Tcp,
    /// Datagrams from one port of a container.
    Udp,
    /// A ping that waits for its answer.
    Ping,
}

/// A flow, as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Whose it is: the id of a container, or nothing for the guest's own network.
    pub container: String,
    /// What it is made of.
    pub protocol: Protocol,
    /// Where it goes; the first of them for datagrams.
    pub target: Target,
    /// When it began.
    pub since: SystemTime,
    /// Bytes to the outside.
    pub sent: u64,
    /// Bytes from there.
    pub received: u64,
}

/// What did not come to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Whose it was.
    pub container: String,
    /// What it was made of.
    pub protocol: Protocol,
    /// Where it should have gone.
    pub target: Target,
    /// When.
    pub at: SystemTime,
    /// What the container was told.
    pub refusal: Refusal,
    /// Why, in words.
    pub why: String,
}

/// All flows; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Flows(Arc<Mutex<Books>>);

#[derive(Debug, Default)]
struct Books {
    next: u64,
    live: BTreeMap<u64, Arc<Counters>>,
    failures: VecDeque<Failure>,
}

#[derive(Debug)]
struct Counters {
    container: String,
    protocol: Protocol,
    target: Target,
    since: SystemTime,
    sent: AtomicU64,
    received: AtomicU64,
}

/// A flow that lives; it ends when it is dropped.
#[derive(Debug)]
pub struct Flow {
    flows: Flows,
    number: u64,
    counters: Arc<Counters>,
}

impl Flows {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins one, unless the container has too many.
    pub(super) fn begin(&self, container: &str, protocol: Protocol, target: Target) -> Result<Flow, Refusal> {
        let counters = Arc::new(Counters {
            container: container.to_owned(),
            protocol,
            target,
            since: SystemTime::now(),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
        });
        let mut books = self.books();
        let own = books.live.values().filter(|other| other.container == container).count();
        books.next += 1;
        let number = books.next;
        let has_room = own < PER_CONTAINER;
        if has_room {
            books.live.insert(number, Arc::clone(&counters));
        }
        drop(books);
        let flow = Flow { flows: self.clone(), number, counters };
        if has_room {
            return Ok(flow);
        }
        flow.failed(Refusal::TimedOut, format!("the container has {PER_CONTAINER} connections already"));
        Err(Refusal::TimedOut)
    }

    /// Those that live, the oldest first.
    #[must_use]
    pub fn live(&self) -> Vec<Seen> {
        let seen = |it: &Arc<Counters>| Seen {
            container: it.container.clone(),
            protocol: it.protocol,
            target: it.target,
            since: it.since,
            sent: it.sent.load(Ordering::Relaxed),
            received: it.received.load(Ordering::Relaxed),
        };
        self.books().live.values().map(seen).collect()
    }

    /// The last that failed, the oldest first.
    #[must_use]
    pub fn failures(&self) -> Vec<Failure> {
        self.books().failures.iter().cloned().collect()
    }
}

impl Flow {
    /// It ends before it began.
    pub(super) fn failed(&self, refusal: Refusal, why: String) {
        let Counters { container, protocol, target, .. } = &*self.counters;
        let (container, protocol, target) = (container.clone(), *protocol, *target);
        let mut books = self.flows.books();
        if books.failures.len() == KEPT {
            books.failures.pop_front();
        }
        books.failures.push_back(Failure { container, protocol, target, at: SystemTime::now(), refusal, why });
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.counters.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn received(&self, bytes: usize) {
        self.counters.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.flows.books().live.remove(&self.number);
    }
}

/// A stream whose bytes are counted.
#[derive(Debug)]
pub struct Counted<S> {
    stream: S,
    flow: Flow,
}

impl<S> Counted<S> {
    pub(super) fn new(stream: S, flow: Flow) -> Self {
        Self { stream, flow }
    }

    /// The stream.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.flow.received(buf.filled().len() - before);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, data);
        if let Poll::Ready(Ok(bytes)) = &written {
            self.flow.sent(*bytes);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Target = Target::Host { port: 80 };

    #[test]
    fn a_container_has_its_share_and_others_have_theirs() {
        let flows = Flows::default();
        let many: Vec<Flow> =
            (0..PER_CONTAINER).map(|_| flows.begin("greedy", Protocol::Tcp, TARGET).unwrap()).collect();
        assert!(flows.begin("greedy", Protocol::Udp, TARGET).is_err());
        let other = flows.begin("other", Protocol::Tcp, TARGET).unwrap();
        assert_eq!(flows.live().len(), PER_CONTAINER + 1);
        drop(many);
        assert!(flows.begin("greedy", Protocol::Tcp, TARGET).is_ok());
        drop(other);
        assert_eq!((flows.live().len(), flows.failures().len()), (0, 1));
    }

    #[test]
    fn the_last_failures_are_kept() {
        let flows = Flows::default();
        for number in 0..KEPT + 3 {
            flows.begin("c", Protocol::Tcp, TARGET).unwrap().failed(Refusal::Refused, number.to_string());
        }
        let kept = flows.failures();
        assert_eq!((kept.len(), kept[0].why.as_str()), (KEPT, "3"));
    }
}
