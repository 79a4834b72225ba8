//! A stream and a socket, joined: what one brings the other gets, to the end of both directions.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{
    Side, Stream,
    frames::{DATA, DONE, END, Frame, MAX_PAYLOAD, Reader, Writer},
};

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Both directions came to their ends, and the stream can be used for something else.
    Well,
    /// Both directions came to their ends, but the other half did not say that it is done: the stream is of no use.
    Alone,
    /// One side cut the connection, or the stream broke; it is of no use. The socket is to be reset, not just closed, so
    /// that its other end learns the same: `set_zero_linger`.
    Cut,
}

/// The connection was cut. Nobody asks where: the answer to it is the same.
struct Cut;

impl<S: AsyncRead + AsyncWrite + Unpin> Stream<S> {
    /// Carries bytes between the stream and a socket until both directions have ended, or one was cut. After a cut, drop the
    /// stream: its end without END is what tells the other half.
    pub async fn relay<L: AsyncRead + AsyncWrite + Unpin>(&mut self, local: &mut L) -> Ended {
        let (mut read, mut write) = tokio::io::split(local);
        let carried = tokio::try_join!(outward(&mut read, &mut self.writer), inward(&mut self.reader, &mut write));
        match carried {
            Ok(((), ())) => self.part().await,
            Err(Cut) => Ended::Cut,
        }
    }

    async fn part(&mut self) -> Ended {
        let parted = match self.side {
            Side::Guest => self.writer.frame(DONE, &[]).await.is_ok(),
            Side::Host => matches!(self.reader.next().await, Ok(Frame::Done)),
        };
        if parted { Ended::Well } else { Ended::Alone }
    }
}

async fn outward<L: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    local: &mut L,
    stream: &mut Writer<W>,
) -> Result<(), Cut> {
    loop {
        match local.read(&mut stream.payload()[..MAX_PAYLOAD]).await {
            Ok(0) => return stream.frame(END, &[]).await.map_err(|_| Cut),
            Ok(length) => stream.framed(DATA, length).await.map_err(|_| Cut)?,
            Err(_) => return Err(Cut),
        }
    }
}

async fn inward<R: AsyncRead + Unpin, L: AsyncWrite + Unpin>(stream: &mut Reader<R>, local: &mut L) -> Result<(), Cut> {
    loop {
        match stream.next().await {
            Ok(Frame::Data(bytes, _)) => local.write_all(bytes).await.map_err(|_| Cut)?,
            Ok(Frame::End) => return local.shutdown().await.map_err(|_| Cut),
            Ok(_) | Err(_) => return Err(Cut),
        }
    }
}
