//! A connected stream to or from a local endpoint.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Endpoint;

/// A connected stream.
#[derive(Debug)]
pub struct LocalStream(pub(super) imp::Stream);

impl LocalStream {
    /// Whether shutting down one direction reaches the other side. Pipes know only whole ends.
    pub const HALF_CLOSES: bool = cfg!(unix);

    /// Connects to what listens on `endpoint`.
    ///
    /// # Errors
    /// What the system says; `NotFound` and `ConnectionRefused` mean that nothing listens.
    pub async fn connect(endpoint: &Endpoint) -> io::Result<Self> {
        imp::connect(endpoint).await.map(Self)
    }

    /// Comes when the other side has closed both directions, as a process does that ends. Reading alone cannot tell that
    /// from a half-close. Never with pipes: there the end of reading is the end.
    pub fn gone(&self) -> impl Future<Output = ()> + Send + use<> {
        imp::gone(&self.0)
    }
}

impl AsyncRead for LocalStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for LocalStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(unix)]
pub(super) mod imp {
    use std::{io, os::fd::AsFd};

    use tokio::io::Interest;

    use super::Endpoint;

    pub(in crate::local) type Stream = tokio::net::UnixStream;

    pub(super) async fn connect(endpoint: &Endpoint) -> io::Result<Stream> {
        Stream::connect(endpoint.path()).await
    }

    /// Watches a descriptor of its own: the stream's is with whoever reads and writes.
    pub(super) fn gone(stream: &Stream) -> impl Future<Output = ()> + Send + use<> {
        let own = stream.as_fd().try_clone_to_owned().map(std::os::unix::net::UnixStream::from);
        let watched = own.and_then(Stream::from_std);
        async move {
            // Without a descriptor to spare, the next write finds out.
            let Ok(watched) = watched else { return std::future::pending().await };
            while let Ok(ready) = watched.ready(Interest::WRITABLE).await {
                if ready.is_write_closed() {
                    return;
                }
                // That it can be written to is no news; wait for a change.
                let _ = watched.try_io(Interest::WRITABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
            }
        }
    }
}

#[cfg(windows)]
pub(super) mod imp {
    use std::{
        io,
        pin::Pin,
        task::{Context, Poll},
        time::Duration,
    };

    use tokio::{
        io::{AsyncRead, AsyncWrite, ReadBuf},
        net::windows::named_pipe::{ClientOptions, NamedPipeClient, NamedPipeServer},
    };

    use super::Endpoint;

    /// ERROR_PIPE_BUSY: every instance of the pipe has a client and the server has not made the next one yet.
    const PIPE_BUSY: i32 = 231;

    /// Windows has no asynchronous way to wait for an instance of a pipe.
    const BUSY_RETRY: Duration = Duration::from_millis(10);

    #[derive(Debug)]
    pub(in crate::local) enum Stream {
        Client(NamedPipeClient),
        Server(NamedPipeServer),
    }

    pub(super) async fn connect(endpoint: &Endpoint) -> io::Result<Stream> {
        loop {
            match ClientOptions::new().open(endpoint.path()) {
                Err(error) if error.raw_os_error() == Some(PIPE_BUSY) => tokio::time::sleep(BUSY_RETRY).await,
                opened => return opened.map(Stream::Client),
            }
        }
    }

    pub(super) fn gone(_: &Stream) -> impl Future<Output = ()> + Send + use<> {
        std::future::pending()
    }

    impl AsyncRead for Stream {
        fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let read = match self.get_mut() {
                Self::Client(pipe) => Pin::new(pipe).poll_read(cx, buf),
                Self::Server(pipe) => Pin::new(pipe).poll_read(cx, buf),
            };
            match read {
                // A pipe whose other end is gone is at its end, as a socket would be.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Poll::Ready(Ok(())),
                read => read,
            }
        }
    }

    impl AsyncWrite for Stream {
        fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
            match self.get_mut() {
                Self::Client(pipe) => Pin::new(pipe).poll_write(cx, data),
                Self::Server(pipe) => Pin::new(pipe).poll_write(cx, data),
            }
        }

        fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            match self.get_mut() {
                Self::Client(pipe) => Pin::new(pipe).poll_flush(cx),
                Self::Server(pipe) => Pin::new(pipe).poll_flush(cx),
            }
        }

        fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            match self.get_mut() {
                Self::Client(pipe) => Pin::new(pipe).poll_shutdown(cx),
                Self::Server(pipe) => Pin::new(pipe).poll_shutdown(cx),
            }
        }
    }
}
