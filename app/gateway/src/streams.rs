//! Raw streams into the guest, ready before they are needed.
//!
//! Dialling and proving costs round trips, and a stream that came well to its end is proven already: it is kept for the
//! next purpose. So a client costs one round trip where streams are at rest, and whoever takes one leaves another being
//! dialled.

use std::{
    fmt, io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cove_proto::{
    streams::{Ended, OpenError, Stream, StreamError},
    v1::StreamHeader,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
};

/// What carries a stream.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// A stream into the guest.
pub type GuestStream = Stream<Box<dyn Transport>>;

/// A future of a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Who dials the guest.
pub trait Dial: Send + Sync + 'static {
    /// Dials its port of raw streams and proves this half.
    fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Transport>>>;
}

/// How many streams lie ready once one was needed.
const READY: usize = 4;
/// How many that were used are kept.
const KEPT: usize = 64;

/// How many are dialled at once; the agent bears 64 that have not proven themselves, and each has five seconds.
const DIALLING: usize = 16;

/// Streams into one machine. Clones share them; they end with the last.
#[derive(Clone)]
pub struct Streams(Arc<Shared>);

struct Shared {
    dial: Box<dyn Dial>,
    dialling: Semaphore,
    resting: Mutex<Resting>,
}

#[derive(Default)]
struct Resting {
    streams: Vec<GuestStream>,
    /// How many are being dialled to lie ready.
    dialling: usize,
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").field("resting", &self.resting().streams.len()).finish_non_exhaustive()
    }
}

impl Streams {
    /// Streams that are dialled so.
    pub fn new(dial: impl Dial) -> Self {
        Self(Arc::new(Shared { dial: Box::new(dial), dialling: Semaphore::new(DIALLING), resting: Mutex::default() }))
    }

    /// Opens a stream for a purpose.
    ///
    /// # Errors
    /// [`OpenError::Refused`] with the guest's errno; anything else if there is no way to the guest.
    pub async fn open(&self, header: &StreamHeader) -> Result<GuestStream, OpenError> {
        self.get_ready();
        loop {
            let (mut stream, fresh) = self.rested_or_dialled().await?;
            match stream.open(header).await {
                Ok(()) => return Ok(stream),
                Err(OpenError::Refused(errno)) => {
                    self.keep(stream);
                    return Err(OpenError::Refused(errno));
                }
                // It may have ended while it lay there, with an agent that was started again.
                Err(OpenError::Stream(_)) if !fresh => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A stream, and whether it was dialled for this. Who has waited for his turn may find one that was used meanwhile.
    async fn rested_or_dialled(&self) -> Result<(GuestStream, bool), StreamError> {
        let rested = self.resting().streams.pop();
        if let Some(stream) = rested {
            return Ok((stream, false));
        }
        // It is never closed.
        let _turn = self.0.dialling.acquire().await.map_err(io::Error::other)?;
        let rested = self.resting().streams.pop();
        match rested {
            Some(stream) => Ok((stream, false)),
            None => Ok((Stream::host(self.0.dial.dial().await?), true)),
        }
    }

    /// Carries bytes between a stream and a socket until both directions have ended or one was cut. After [`Ended::Cut`]
    /// the socket is to be reset.
    pub async fn carry<L: AsyncRead + AsyncWrite + Unpin>(&self, mut stream: GuestStream, socket: &mut L) -> Ended {
        let ended = stream.relay(socket).await;
        if ended == Ended::Well {
            self.keep(stream);
        }
        ended
    }

    fn keep(&self, stream: GuestStream) {
        let mut resting = self.resting();
        if resting.streams.len() < KEPT {
            resting.streams.push(stream);
        }
    }

    fn get_ready(&self) {
        let missing = {
            let mut resting = self.resting();
            let missing = READY.saturating_sub(resting.streams.len() + resting.dialling);
            resting.dialling += missing;
            missing
        };
        for _ in 0..missing {
            let streams = self.clone();
            tokio::spawn(async move {
                let dialled = streams.0.dial.dial().await;
                streams.resting().dialling -= 1;
                match dialled {
                    Ok(dialled) => streams.keep(Stream::host(dialled)),
                    Err(error) => tracing::debug!(%error, "no raw stream lies ready"),
                }
            });
        }
    }

    fn resting(&self) -> MutexGuard<'_, Resting> {
        self.0.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use cove_proto::v1::{PublishStream, stream_header::Kind};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// A guest that takes every stream, refuses port 9, and sends back what comes; the first connections are dead.
    #[derive(Clone, Default)]
    struct Guest {
        dialled: Arc<AtomicUsize>,
        dead: usize,
    }

    impl Dial for Guest {
        fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Transport>>> {
            Box::pin(async {
                let (ours, theirs) = duplex(4096);
                if self.dialled.fetch_add(1, Ordering::SeqCst) >= self.dead {
                    tokio::spawn(echo(Stream::guest(theirs)));
                }
                Ok(Box::new(ours) as Box<dyn Transport>)
            })
        }
    }

    async fn echo(mut stream: Stream<tokio::io::DuplexStream>) {
        while let Ok(Some(header)) = stream.accept().await {
            let refused = matches!(header.kind, Some(Kind::Publish(of)) if of.container_port == 9);
            stream.answer(if refused { 111 } else { 0 }).await.unwrap();
            if !refused {
                let (mut socket, other) = duplex(4096);
                tokio::spawn(async move {
                    let (mut read, mut write) = tokio::io::split(other);
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                    let _ = write.shutdown().await;
                });
                stream.relay(&mut socket).await;
            }
        }
    }

    fn client(port: u32) -> StreamHeader {
        StreamHeader { kind: Some(Kind::Publish(PublishStream { container_port: port, ..PublishStream::default() })) }
    }

    async fn say(streams: &Streams) {
        let stream = streams.open(&client(7)).await.unwrap();
        let (mut said, mut socket) = duplex(100);
        said.write_all(b"hello").await.unwrap();
        said.shutdown().await.unwrap();
        assert_eq!(streams.carry(stream, &mut socket).await, Ended::Well);
        drop(socket);
        let mut heard = String::new();
        said.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "hello");
    }

    #[tokio::test]
    async fn clients_one_after_another_need_no_further_streams() {
        let guest = Guest::default();
        let streams = Streams::new(guest.clone());
        for _ in 0..100 {
            say(&streams).await;
            let refused = streams.open(&client(9)).await;
            assert!(matches!(refused, Err(OpenError::Refused(111))));
        }
        assert!(guest.dialled.load(Ordering::SeqCst) <= READY + 1);
    }

    #[tokio::test]
    async fn many_at_once_have_one_each_and_not_all_are_kept() {
        let streams = Streams::new(Guest::default());
        let mut open = Vec::new();
        for _ in 0..2 * KEPT {
            open.push(streams.open(&client(7)).await.unwrap());
        }
        for stream in open {
            let (mut socket, _) = duplex(1);
            streams.carry(stream, &mut socket).await;
        }
        assert!(streams.resting().streams.len() <= KEPT);
    }

    #[tokio::test]
    async fn streams_that_ended_while_they_lay_there_are_passed_over() {
        let streams = Streams::new(Guest { dead: READY, ..Guest::default() });
        streams.get_ready();
        while streams.resting().streams.len() < READY {
            tokio::task::yield_now().await;
        }
        say(&streams).await;
    }

    #[tokio::test]
    async fn without_a_guest_there_is_an_error() {
        let streams = Streams::new(Guest { dead: usize::MAX, ..Guest::default() });
        assert!(matches!(streams.open(&client(7)).await, Err(OpenError::Stream(_))));
    }
}
