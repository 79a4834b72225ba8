//! The streams between this terminal and a container: keys and bytes in, output out.

use std::io;

use cove_proto::v1::StdioStream;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, Stderr, Stdout},
    sync::mpsc,
};

/// Bytes of standard input in one message.
const PIECE_BYTES: usize = 32 * 1024;

/// Pieces on their way to the container.
pub(crate) const PIECES_AHEAD: usize = 8;

/// Sends all of standard input, made into messages by `piece`, and at its end the message that says so.
pub(crate) async fn send<M>(
    mut source: impl AsyncRead + Unpin,
    messages: mpsc::Sender<M>,
    piece: fn(Vec<u8>) -> M,
    closed: fn() -> M,
) -> io::Result<()> {
    loop {
        let mut data = Vec::with_capacity(PIECE_BYTES);
        let end = source.read_buf(&mut data).await? == 0;
        let message = if end { closed() } else { piece(data) };
        // A program that has ended reads no more; its exit is told elsewhere.
        if messages.send(message).await.is_err() || end {
            return Ok(());
        }
    }
}

/// Standard output and error of this program.
#[derive(Debug)]
pub(crate) struct Screen {
    stdout: Stdout,
    stderr: Stderr,
}

impl Screen {
    /// Takes them.
    pub(crate) fn take() -> Self {
        Self { stdout: tokio::io::stdout(), stderr: tokio::io::stderr() }
    }

    /// Writes and flushes: a prompt without a line feed must be seen.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) async fn write(&mut self, stream: StdioStream, data: &[u8]) -> io::Result<()> {
        match stream {
            StdioStream::Stderr => {
                self.stderr.write_all(data).await?;
                self.stderr.flush().await
            }
            StdioStream::Stdout | StdioStream::Unspecified => {
                self.stdout.write_all(data).await?;
                self.stdout.flush().await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_input_is_said_once_and_last() {
        let (sender, mut messages) = mpsc::channel(4);
        send(&b"abc"[..], sender, Some, || None).await.unwrap();
        assert_eq!(messages.recv().await, Some(Some(b"abc".to_vec())));
        assert_eq!(messages.recv().await, Some(None));
        assert_eq!(messages.recv().await, None);
    }
}
