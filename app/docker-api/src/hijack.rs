//! Connections that stop being HTTP: attach and exec. Octets both ways, with half-close.
//!
//! ```text
//! client ──stdin──► Stdin::Data … Stdin::Closed ──► engine
//! client ◄─frames─── output ◄────────────────────── engine       end of output = end of connection
//! ```

use std::io;
use std::time::Duration;

use bytes::Bytes;
use cove_proto::v1;
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::frames::Framing;

/// Reads from a client: what a message of the engine carries well.
const STDIN_CHUNK: usize = 32 * 1024;

/// How long a client may go on sending after the end of output, so that it reads the end rather than a reset.
const LINGER: Duration = Duration::from_secs(1);

/// How long the head of a response is alone on its way. docker-py reads it through the buffer of Python's http.client and
/// what follows past that buffer, so that it loses what comes along; nothing tells that a client has read. dockerd has
/// never anything to say so soon.
const HEAD_ALONE: Duration = Duration::from_millis(5);

/// What a connection becomes once it is not HTTP any more.
pub(crate) struct Hijack {
    /// Written first: the head of the response, in dockerd's words.
    head: Vec<u8>,
    /// Goes on from there.
    then: Box<dyn FnOnce(Duplex) -> BoxFuture<'static, io::Result<()>> + Send>,
}

/// A hijacked stream.
pub(crate) struct Duplex {
    reader: Box<dyn AsyncRead + Send + Unpin>,
    writer: Box<dyn AsyncWrite + Send + Unpin>,
    /// Nothing is written before.
    not_before: Instant,
    /// Comes when the client has closed both directions.
    gone: BoxFuture<'static, ()>,
}

/// A piece of a client's standard input.
pub(crate) enum Stdin {
    /// The next bytes.
    Data(Vec<u8>),
    /// The client half-closed.
    Closed,
}

/// Output of a container or an exec.
pub(crate) trait Output: Send + 'static {
    /// Which stream, and what was written.
    fn into_piece(self) -> (v1::StdioStream, Vec<u8>);
}

impl Output for v1::AttachContainerResponse {
    fn into_piece(self) -> (v1::StdioStream, Vec<u8>) {
        (self.stream(), self.data)
    }
}

impl Output for v1::StartExecResponse {
    fn into_piece(self) -> (v1::StdioStream, Vec<u8>) {
        (self.stream(), self.data)
    }
}

impl Hijack {
    /// Answers with `head` and goes on with `then`.
    pub(crate) fn new<F>(head: Vec<u8>, then: impl FnOnce(Duplex) -> F + Send + 'static) -> Self
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        Self { head, then: Box::new(move |duplex| Box::pin(then(duplex))) }
    }

    /// Runs on a stream from which `early` was read beyond the request; `gone` comes when its client has closed both
    /// directions.
    pub(crate) async fn run<S>(self, stream: S, early: Bytes, gone: BoxFuture<'static, ()>) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (reader, mut writer): (ReadHalf<S>, WriteHalf<S>) = tokio::io::split(stream);
        writer.write_all(&self.head).await?;
        writer.flush().await?;
        let reader = Box::new(io::Cursor::new(early).chain(reader));
        let not_before = Instant::now() + HEAD_ALONE;
        (self.then)(Duplex { reader, writer: Box::new(writer), not_before, gone }).await
    }
}

impl Duplex {
    /// Passes standard input on and writes what comes back, until that ends or the client is gone.
    ///
    /// Without `stdin` nothing is read. A client that has gone is noticed also when nothing is written. An error of the engine is written as output: HTTP's time for errors is over.
    pub(crate) async fn pump<M: Output>(
        mut self,
        stdin: Option<mpsc::Sender<Stdin>>,
        mut output: tonic::Streaming<M>,
        framing: Framing,
    ) -> io::Result<()> {
        let upload = upload(&mut self.reader, stdin, self.gone);
        let download = download(&mut self.writer, self.not_before, &mut output, framing);
        tokio::select! {
            ended = download => ended?,
            gone = upload => return Err(gone),
        }
        finish(self.reader, self.writer).await
    }

    /// Writes one message and ends.
    pub(crate) async fn say(mut self, framing: Framing, text: &str) -> io::Result<()> {
        let message = format!("{text}\r\n").into_bytes();
        tokio::time::sleep_until(self.not_before).await;
        self.writer.write_all(&framing.encode(v1::StdioStream::Stdout, message)).await?;
        self.finish().await
    }

    /// Ends the stream without writing anything more.
    pub(crate) async fn finish(self) -> io::Result<()> {
        finish(self.reader, self.writer).await
    }
}

async fn finish(
    mut reader: impl AsyncRead + Send + Unpin,
    mut writer: impl AsyncWrite + Send + Unpin,
) -> io::Result<()> {
    writer.shutdown().await?;
    // Closing a socket with unread input resets it, and the client would take that for a failure.
    let mut sink = tokio::io::sink();
    let drain = tokio::io::copy(&mut reader, &mut sink);
    match tokio::time::timeout(LINGER, drain).await {
        Ok(drained) => drained.map(|_| ()),
        Err(_elapsed) => Ok(()),
    }
}

/// Passes standard input on. Comes back only when the client is gone: a half-close is no end of the connection.
async fn upload(
    reader: &mut (dyn AsyncRead + Send + Unpin),
    stdin: Option<mpsc::Sender<Stdin>>,
    gone: BoxFuture<'static, ()>,
) -> io::Error {
    let has_gone = || io::ErrorKind::ConnectionReset.into();
    let Some(stdin) = stdin else {
        gone.await;
        return has_gone();
    };
    let mut buffer = vec![0; STDIN_CHUNK];
    loop {
        let piece = match reader.read(&mut buffer).await {
            Ok(0) => Stdin::Closed,
            Ok(count) => Stdin::Data(buffer[..count].to_vec()),
            Err(error) => return error,
        };
        let closed = matches!(piece, Stdin::Closed);
        if stdin.send(piece).await.is_err() || closed {
            break;
        }
    }
    // The request ends with the last input; the output, and with it the connection, may go on for long.
    drop(stdin);
    gone.await;
    has_gone()
}

/// Writes output until its end.
async fn download<M: Output>(
    writer: &mut (dyn AsyncWrite + Send + Unpin),
    not_before: Instant,
    output: &mut tonic::Streaming<M>,
    framing: Framing,
) -> io::Result<()> {
    tokio::time::sleep_until(not_before).await;
    loop {
        match output.message().await {
            Ok(Some(message)) => {
                let (stream, data) = message.into_piece();
                writer.write_all(&framing.encode(stream, data)).await?;
                writer.flush().await?;
            }
            Ok(None) => return Ok(()),
            // The client typed the keys that let go; dockerd ends the connection without a word.
            Err(status) if status.code() == tonic::Code::Aborted => return Ok(()),
            Err(status) => {
                let text = format!("{}\r\n", crate::error::chain(&status)).into_bytes();
                return writer.write_all(&framing.encode(v1::StdioStream::Stderr, text)).await;
            }
        }
    }
}

/// The head of a hijacked response: 101 when the client asked for an upgrade, else 200 without a length.
pub(crate) fn head(upgrade: bool, content_type: &str, more: &str) -> Vec<u8> {
    if upgrade {
        format!(
            "HTTP/1.1 101 UPGRADED\r\nContent-Type: {content_type}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n{more}\r\n"
        )
    } else {
        format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n{more}\r\n")
    }
    .into_bytes()
}
