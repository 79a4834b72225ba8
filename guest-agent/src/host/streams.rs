//! Raw streams that the host dials. Each says in its header what it is for; one that came well to its end is told to the
//! next purpose.

use std::{io, sync::Arc};

use cove_proto::{
    streams::{
        Ended, Stream, StreamError,
        frames::{Reader, Writer},
    },
    v1::{PublishStream, stream_header::Kind},
};
use futures::future::BoxFuture;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf},
    sync::mpsc,
};

use super::Host;

/// What carries a stream: a vsock connection, proven.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

type Boxed = Box<dyn Transport>;

/// Who takes the clients of published ports.
pub trait Publish: Send + Sync + 'static {
    /// Takes one. It answers the stream, and carries it.
    fn client(&self, whose: PublishStream, stream: Raw) -> BoxFuture<'_, ()>;
}

/// Takes all streams that come, for as long as some come.
pub async fn serve<C>(host: Host, publish: Arc<dyn Publish>, mut connections: mpsc::Receiver<io::Result<C>>)
where
    C: Transport + 'static,
{
    let places = Places { host, publish };
    while let Some(connection) = connections.recv().await {
        match connection {
            Ok(connection) => places.clone().accept(Stream::guest(Box::new(connection))),
            Err(error) => tracing::warn!(%error, "a raw stream was not accepted"),
        }
    }
}

/// Where streams may belong.
#[derive(Clone)]
struct Places {
    host: Host,
    publish: Arc<dyn Publish>,
}

impl Places {
    fn accept(self, stream: Stream<Boxed>) {
        tokio::spawn(async move {
            if let Err(error) = self.receive(stream).await {
                tracing::debug!(%error, "a raw stream ended");
            }
        });
    }

    async fn receive(self, mut stream: Stream<Boxed>) -> Result<(), StreamError> {
        loop {
            let Some(header) = stream.accept().await? else { return Ok(()) };
            match header.kind {
                Some(Kind::Publish(whose)) => {
                    let publish = Arc::clone(&self.publish);
                    publish.client(whose, Raw { stream, places: self }).await;
                    return Ok(());
                }
                Some(Kind::Egress(asked)) => match self.host.waiting(asked.flow_id) {
                    Some(asker) => {
                        stream.answer(0).await?;
                        // Who has given up meanwhile drops the stream, and that cuts the connection.
                        let _ = asker.send(Raw { stream, places: self });
                        return Ok(());
                    }
                    None => stream.answer(libc::ESRCH).await?,
                },
                Some(Kind::File(_)) | None => stream.answer(libc::EOPNOTSUPP).await?,
            }
        }
    }
}

/// A stream that has found its purpose.
pub struct Raw {
    stream: Stream<Boxed>,
    places: Places,
}

impl std::fmt::Debug for Raw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Raw(..)")
    }
}

impl Raw {
    /// Says whether it can be, 0 or an errno: for who was given a stream that is not answered yet.
    ///
    /// # Errors
    /// If the stream fails.
    pub async fn answer(&mut self, errno: i32) -> Result<(), StreamError> {
        self.stream.answer(errno).await
    }

    /// Says that it cannot be; the stream is then there for something else.
    pub async fn refuse(mut self, errno: i32) {
        if self.stream.answer(errno).await.is_ok() {
            self.places.accept(self.stream);
        }
    }

    /// Carries bytes between it and a socket until both directions have ended or one was cut. After [`Ended::Cut`] the
    /// socket is to be reset.
    pub async fn relay<L: AsyncRead + AsyncWrite + Unpin>(mut self, local: &mut L) -> Ended {
        let ended = self.stream.relay(local).await;
        if ended == Ended::Well {
            self.places.accept(self.stream);
        }
        ended
    }

    /// Both directions, for messages.
    #[must_use]
    pub fn into_halves(self) -> (Reader<ReadHalf<Boxed>>, Writer<WriteHalf<Boxed>>) {
        self.stream.into_halves()
    }
}
