//! Streams of bytes between a client and a thread that blocks: they go through a few chunks, and whoever is slower sets the
//! pace.

use std::io::{self, Read, Write};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;
use tonic::Status;

/// Chunks on their way.
pub(super) const CHUNKS: usize = 8;
/// Size of the chunks that are sent.
const CHUNK_BYTES: usize = 64 << 10;

/// Passes a stream of the client on to a thread that blocks.
pub(super) fn receive(mut sent: impl Stream<Item = Result<Bytes, Status>> + Send + Unpin + 'static) -> Received {
    let (sender, chunks) = mpsc::channel(CHUNKS);
    tokio::spawn(async move {
        while let Some(chunk) = sent.next().await {
            // The end of the channel alone would read as the end of the bytes: an error says that it is not.
            let failed = chunk.is_err();
            if sender.send(chunk).await.is_err() || failed {
                return;
            }
        }
    });
    Received { chunks, chunk: Bytes::new() }
}

/// Reads what a client sends.
pub(super) struct Received {
    chunks: mpsc::Receiver<Result<Bytes, Status>>,
    chunk: Bytes,
}

impl Read for Received {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() && !buffer.is_empty() {
            match self.chunks.blocking_recv() {
                Some(Ok(chunk)) => self.chunk = chunk,
                Some(Err(status)) => return Err(io::Error::new(io::ErrorKind::ConnectionAborted, status)),
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.chunk.len());
        buffer[..count].copy_from_slice(&self.chunk.split_to(count));
        Ok(count)
    }
}

/// Sends what is written to it, in messages that `message` makes.
pub(super) struct Sender<M> {
    sender: mpsc::Sender<Result<M, Status>>,
    message: fn(Vec<u8>) -> M,
    chunk: Vec<u8>,
}

impl<M> Sender<M> {
    pub(super) fn new(sender: mpsc::Sender<Result<M, Status>>, message: fn(Vec<u8>) -> M) -> Self {
        Self { sender, message, chunk: Vec::with_capacity(CHUNK_BYTES) }
    }

    fn send(&mut self) -> io::Result<()> {
        let data = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES));
        let message = Ok((self.message)(data));
        self.sender.blocking_send(message).map_err(|_gone| io::ErrorKind::ConnectionAborted.into())
    }
}

impl<M> Write for Sender<M> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(CHUNK_BYTES - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..count]);
        if self.chunk.len() == CHUNK_BYTES {
            self.send()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() { Ok(()) } else { self.send() }
    }
}

/// Runs `write` on a thread that may block, and streams what it writes; its error ends the stream.
pub(super) fn send<M: Send + 'static, E: Into<Status>>(
    message: fn(Vec<u8>) -> M,
    write: impl FnOnce(&mut Sender<M>) -> Result<(), E> + Send + 'static,
) -> mpsc::Receiver<Result<M, Status>> {
    let (sender, receiver) = mpsc::channel(CHUNKS);
    tokio::task::spawn_blocking(move || {
        let mut out = Sender::new(sender.clone(), message);
        match write(&mut out) {
            // What does not fill a chunk is sent now; a client that has gone needs neither that nor an error.
            Ok(()) => drop(out.flush()),
            Err(error) => drop(sender.blocking_send(Err(error.into()))),
        }
    });
    receiver
}
