//! Writes in the sizes that every vsock carries whole.
//!
//! vhost-device-vsock 0.3 loses what a guest writes in one piece above 32 KiB, and Hyper-V's own unit is 16 KiB, so both
//! halves cut their writes. This is a property of the transport: the code above it writes as it likes.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most bytes that go into one write.
pub const MAX_WRITE_BYTES: usize = 16 * 1024;

/// A stream whose writes are at most [`MAX_WRITE_BYTES`] long.
#[derive(Debug)]
pub struct Paced<S>(pub S);

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let length = data.len().min(MAX_WRITE_BYTES);
        Pin::new(&mut self.0).poll_write(cx, &data[..length])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    /// Remembers how long each write was.
    #[derive(Default)]
    struct Lengths(Vec<usize>);

    impl AsyncWrite for Lengths {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
            self.0.push(data.len());
            Poll::Ready(Ok(data.len()))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn a_long_write_is_cut_and_nothing_is_lost() {
        let mut stream = Paced(Lengths::default());
        stream.write_all(&[7; 40_000]).await.unwrap();
        assert_eq!(stream.0.0, [MAX_WRITE_BYTES, MAX_WRITE_BYTES, 40_000 - 2 * MAX_WRITE_BYTES]);
    }
}
