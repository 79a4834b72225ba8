//! vhost-device-vsock: the process that carries vsock between QEMU and unix sockets where the kernel does not.
//!
//! A client writes `CONNECT <port>\n` and reads `OK <port>\n`; Firecracker and others speak the same.

use std::{io, path::Path, time::Duration};

use cove_machine::hypervisor::{Connection, HypervisorError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

/// A guest without a vsock driver yet leaves the question unanswered.
const ANSWER: Duration = Duration::from_secs(5);
/// "OK 4294967295\n" and some.
const MAX_ANSWER: usize = 32;

/// Dials a port of the guest by the device's socket.
///
/// # Errors
/// [`HypervisorError::NotListening`] if nobody answers there (yet).
pub async fn dial(socket: &Path, port: u32) -> Result<Connection, HypervisorError> {
    match timeout(ANSWER, ask(socket, port)).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) if has_gone(&error) => Err(HypervisorError::NotListening(port)),
        Ok(Err(error)) => {
            Err(HypervisorError::Operation { operation: format!("dial vsock port {port}"), cause: error.to_string() })
        }
        Err(_) => Err(HypervisorError::NotListening(port)),
    }
}

/// The device hangs up when the guest refuses.
fn has_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof)
}

async fn ask(socket: &Path, port: u32) -> io::Result<UnixStream> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(format!("CONNECT {port}\n").as_bytes()).await?;
    let mut answer = Vec::new();
    // Byte by byte: what follows the line is already the guest's.
    while answer.last() != Some(&b'\n') {
        if answer.len() == MAX_ANSWER {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no vsock device answers there"));
        }
        answer.push(stream.read_u8().await?);
    }
    if !answer.starts_with(b"OK ") {
        return Err(io::Error::new(io::ErrorKind::InvalidData, String::from_utf8_lossy(&answer).trim().to_owned()));
    }
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

    async fn device(answer: &'static [u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vsock.sock");
        let listener = UnixListener::bind(&path).unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut question = vec![0; 13];
            stream.read_exact(&mut question).await.unwrap();
            assert_eq!(question, b"CONNECT 1024\n");
            stream.write_all(answer).await.unwrap();
        });
        (dir, path)
    }

    #[tokio::test]
    async fn what_follows_the_answer_belongs_to_the_guest() {
        let (_dir, path) = device(b"OK 1024\nhello").await;
        let mut stream = dial(&path, 1024).await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "hello");
    }

    #[tokio::test]
    async fn a_device_that_hangs_up_means_that_nothing_listens() {
        let (_dir, path) = device(b"").await;
        assert!(matches!(dial(&path, 1024).await, Err(HypervisorError::NotListening(1024))));
    }

    #[tokio::test]
    async fn another_protocol_is_an_error_of_its_own() {
        let (_dir, path) = device(b"HTTP/1.1 400 Bad Request\r\n").await;
        assert!(matches!(dial(&path, 1024).await, Err(HypervisorError::Operation { .. })));
    }
}
