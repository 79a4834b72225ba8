//! A stream that is at its end when its machine is, even if nobody closes it: what carried it may be a process of its own
//! that does not notice.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The stream.
pub(super) struct Severed<S> {
    stream: S,
    /// Answers when the machine has ended; `None` afterwards.
    end: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<S> Severed<S> {
    /// Ends `stream` at `end`, if it has not ended before.
    pub(super) fn at(stream: S, end: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { stream, end: Some(Box::pin(end)) }
    }

    fn has_ended(&mut self, cx: &mut Context<'_>) -> bool {
        if self.end.as_mut().is_some_and(|end| end.as_mut().poll(cx).is_ready()) {
            self.end = None;
        }
        self.end.is_none()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Severed<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // What has come is read to its end first.
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Pending if self.has_ended(cx) => Poll::Ready(Ok(())),
            read => read,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Severed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(cx, data) {
            Poll::Pending if self.has_ended(cx) => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            written => written,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Pending if self.has_ended(cx) => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            flushed => flushed,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_shutdown(cx) {
            Poll::Pending if self.has_ended(cx) => Poll::Ready(Ok(())),
            shut => shut,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        sync::oneshot,
    };

    use super::*;

    #[tokio::test]
    async fn what_has_come_is_read_before_the_end_and_a_full_stream_is_given_up() {
        let (ours, mut theirs) = tokio::io::duplex(4);
        let (end, ended) = oneshot::channel::<()>();
        let mut stream = Severed::at(ours, async {
            ended.await.ok();
        });
        theirs.write_all(b"last").await.unwrap();
        drop(end);
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"last");
        let refused = stream.write_all(b"too long").await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::BrokenPipe);
    }
}
