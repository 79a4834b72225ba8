//! What goes over `machine.sock`: a JSON line asks, a JSON line answers. After the answer to `connect` the stream is the
//! guest's; to `watch` a second line follows when the machine has ended.

use std::io;

use cove_machine::hypervisor::{HypervisorError, Platform, VmState};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longer lines are not ours.
const MAX_LINE: usize = 64 * 1024;

/// What the daemon asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Request {
    /// Answered by [`Platform`], and by [`State`] when the machine has ended.
    Watch,
    /// Answered by [`Dialled`]; then the stream is the guest's.
    Connect { port: u32 },
    /// Answered by the state when the machine has ended.
    Kill,
}

/// What a helper says on its standard output, once, when the machine runs or does not.
pub(super) type Started = Result<Platform, HypervisorError>;

/// The answer to [`Request::Connect`].
pub(super) type Dialled = Result<(), HypervisorError>;

/// The answer to [`Request::Kill`], and the second one to [`Request::Watch`]. By then the place is free for another machine.
pub(super) type State = VmState;

/// Writes a line.
pub(super) async fn send(stream: &mut (impl AsyncWrite + Unpin), message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    stream.flush().await
}

/// Reads a line and not a byte more: what follows may be the guest's. `UnexpectedEof` if the other side left.
pub(super) async fn receive<T: DeserializeOwned>(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<T> {
    let mut line = Vec::new();
    loop {
        match stream.read_u8().await? {
            b'\n' => return Ok(serde_json::from_slice(&line)?),
            _ if line.len() == MAX_LINE => return Err(io::ErrorKind::InvalidData.into()),
            byte => line.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_is_read_and_what_follows_is_left() {
        let (mut here, mut there) = tokio::io::duplex(256);
        send(&mut there, &Request::Connect { port: 1024 }).await.unwrap();
        there.write_all(b"raw").await.unwrap();
        assert_eq!(receive::<Request>(&mut here).await.unwrap(), Request::Connect { port: 1024 });
        let mut rest = [0; 3];
        here.read_exact(&mut rest).await.unwrap();
        assert_eq!(&rest, b"raw");
    }

    #[tokio::test]
    async fn a_line_without_end_is_refused() {
        let (mut here, mut there) = tokio::io::duplex(1 << 20);
        there.write_all(&vec![b' '; MAX_LINE + 1]).await.unwrap();
        assert_eq!(receive::<Request>(&mut here).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
