//! The agent's port: connections of the host, proven, as streams for gRPC.

use std::{
    fs, io,
    os::fd::OwnedFd,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use cove_proto::{boot_secret::BootSecret, paced::Paced};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{Semaphore, mpsc},
};
use tokio_vsock::{VsockListener, VsockStream};
use tonic::transport::server::Connected;

/// Connections that may be proving themselves at once. Any user of the host may dial, and stay silent for seconds.
const UNPROVEN: usize = 64;

/// After a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// The host's context id.
const HOST: u32 = vsock::VMADDR_CID_HOST;

/// Why the port cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// No secret.
    #[error("cannot read the secret of this boot from {path}")]
    Secret {
        /// Where it should be.
        path: String,
        /// Why it cannot be read.
        #[source]
        source: io::Error,
    },
    /// A secret of the wrong length.
    #[error("the secret of this boot is not 32 bytes long")]
    SecretLength,
    /// The listener that PID 1 holds is none.
    #[error("cannot listen")]
    Listener(#[source] io::Error),
}

/// Reads the secret of this boot.
///
/// # Errors
/// If there is none.
pub fn read_secret(path: &Path) -> Result<BootSecret, AcceptError> {
    let bytes = fs::read(path).map_err(|source| AcceptError::Secret { path: path.display().to_string(), source })?;
    BootSecret::from_bytes(&bytes).ok_or(AcceptError::SecretLength)
}

/// A connection whose other side has proven to be the host's daemon.
#[derive(Debug)]
pub struct Connection(Paced<VsockStream>);

/// Accepts connections for as long as somebody takes them.
///
/// # Errors
/// If the listener is none.
pub fn connections(
    listener: OwnedFd,
    secret: BootSecret,
) -> Result<mpsc::Receiver<io::Result<Connection>>, AcceptError> {
    rustix::io::ioctl_fionbio(&listener, true).map_err(|errno| AcceptError::Listener(errno.into()))?;
    let listener = VsockListener::from(listener);
    let (to, from) = mpsc::channel(8);
    tokio::spawn(accept(listener, secret, to));
    Ok(from)
}

async fn accept(listener: VsockListener, secret: BootSecret, to: mpsc::Sender<io::Result<Connection>>) {
    let unproven = Arc::new(Semaphore::new(UNPROVEN));
    while !to.is_closed() {
        let Ok(permit) = Arc::clone(&unproven).acquire_owned().await else { return };
        let (mut stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                // Out of descriptors, say. The connection is still there, so without a pause this would turn in circles.
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        if peer.cid() != HOST {
            tracing::warn!(cid = peer.cid(), "a connection that is not the host's is closed");
            continue;
        }
        let (secret, to) = (secret.clone(), to.clone());
        tokio::spawn(async move {
            let proven = secret.prove_as_guest(&mut stream).await;
            drop(permit);
            match proven {
                Ok(()) => drop(to.send(Ok(Connection(Paced(stream)))).await),
                Err(error) => tracing::warn!(%error, "a connection is closed"),
            }
        });
    }
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, data)
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

    #[test]
    fn a_secret_of_the_wrong_length_or_none_at_all_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        assert!(matches!(read_secret(&path), Err(AcceptError::Secret { .. })));
        std::fs::write(&path, [7; 31]).unwrap();
        assert!(matches!(read_secret(&path), Err(AcceptError::SecretLength)));
        std::fs::write(&path, [7; 32]).unwrap();
        assert_eq!(read_secret(&path).unwrap().as_bytes(), [7; 32]);
    }
}
