//! A blocking socket as an asynchronous stream.
//!
//! tokio can adopt TCP sockets and pipes, not sockets of another family, so each connection to a guest has two threads:
//! what one reads from the socket goes into a bounded buffer, what the other takes from it goes into the socket. Windows
//! lets `TcpStream` hold any connected stream socket: its reads, writes and shutdowns are the same calls.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    thread,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, ReadHalf, WriteHalf},
    runtime::Handle,
};

/// How much is under way in each direction: Hyper-V's own unit is 16 KiB.
const PIECE: usize = 16 * 1024;
const BUFFER: usize = 4 * PIECE;

/// A stream over a blocking socket. Dropping it closes the connection, whatever the threads wait for.
#[derive(Debug)]
pub struct Pumped {
    near: DuplexStream,
    socket: Arc<TcpStream>,
}

impl Pumped {
    /// Takes a connected socket over. To be called within a runtime.
    ///
    /// # Errors
    /// If the system has no threads left.
    pub fn over(socket: TcpStream) -> io::Result<Self> {
        socket.set_nonblocking(false)?;
        let socket = Arc::new(socket);
        let (near, far) = tokio::io::duplex(BUFFER);
        let (outgoing, incoming) = tokio::io::split(far);
        let stream = Self { near, socket: socket.clone() };
        let handle = Handle::current();
        let (to, runtime) = (socket.clone(), handle.clone());
        thread::Builder::new().name("guest-write".to_owned()).spawn(move || to_socket(outgoing, &to, &runtime))?;
        thread::Builder::new().name("guest-read".to_owned()).spawn(move || from_socket(incoming, &socket, &handle))?;
        Ok(stream)
    }
}

impl Drop for Pumped {
    fn drop(&mut self) {
        // It may be closed already, by the guest.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// Until the guest has no more to say, or nobody listens any more.
fn from_socket(mut near: WriteHalf<DuplexStream>, mut socket: &TcpStream, handle: &Handle) {
    let mut piece = vec![0; PIECE];
    loop {
        match socket.read(&mut piece) {
            Ok(length @ 1..) => {
                if handle.block_on(near.write_all(&piece[..length])).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A connection that breaks ends like one that is closed; gRPC and Cove's frames tell the two apart.
            Ok(0) | Err(_) => {
                let _ = handle.block_on(near.shutdown());
                return;
            }
        }
    }
}

/// Until this side has no more to say, or the guest does not listen any more.
fn to_socket(mut near: ReadHalf<DuplexStream>, mut socket: &TcpStream, handle: &Handle) {
    let mut piece = vec![0; PIECE];
    loop {
        let Ok(length @ 1..) = handle.block_on(near.read(&mut piece)) else {
            let _ = socket.shutdown(Shutdown::Write);
            return;
        };
        if socket.write_all(&piece[..length]).is_err() {
            // The reading thread sees the same and tells it.
            let _ = socket.shutdown(Shutdown::Both);
            return;
        }
    }
}

impl AsyncRead for Pumped {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.near).poll_read(cx, buf)
    }
}

impl AsyncWrite for Pumped {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.near).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.near).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.near).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (here, listener.accept().unwrap().0)
    }

    #[tokio::test]
    async fn a_megabyte_goes_both_ways_and_each_end_is_told() {
        let (here, mut there) = pair();
        let echo = thread::spawn(move || {
            let mut all = Vec::new();
            there.read_to_end(&mut all).unwrap();
            there.write_all(&all).unwrap();
        });
        let mut stream = Pumped::over(here).unwrap();
        let sent: Vec<u8> = (0..1 << 20).map(|at: u32| at.to_le_bytes()[1]).collect();
        stream.write_all(&sent).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut back = Vec::new();
        stream.read_to_end(&mut back).await.unwrap();
        assert!(sent == back, "{} bytes came back", back.len());
        echo.join().unwrap();
    }

    #[tokio::test]
    async fn a_stream_that_is_dropped_closes_the_connection() {
        let (here, mut there) = pair();
        drop(Pumped::over(here).unwrap());
        let ended = tokio::task::spawn_blocking(move || there.read(&mut [0; 1]).unwrap_or(0));
        assert_eq!(ended.await.unwrap(), 0);
    }
}
