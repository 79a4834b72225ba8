//! How the daemon and the agent prove to each other that they belong to the same boot.
//!
//! The daemon makes a secret for each boot and hands it to the guest in a cpio of its own behind the initramfs, which no
//! container can read (the kernel's command line, every container can). On each vsock connection both sides then prove
//! that they know it before anything else is said: with vhost-vsock any user of the host may dial the guest, and inside
//! the guest a process might try to answer in the agent's place.
//!
//! ```text
//! host → guest   "COVE1\n"  nonce_h[32]
//! guest → host   nonce_g[32]  HMAC-SHA256(secret, "guest" nonce_h nonce_g)
//! host → guest   HMAC-SHA256(secret, "host" nonce_g nonce_h)
//! ```

use std::{io, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Where the guest finds the secret in its initramfs.
pub const GUEST_PATH: &str = "/cove/boot-secret";

/// How long the other side may take to prove itself.
pub const DEADLINE: Duration = Duration::from_secs(5);

const GREETING: &[u8; 6] = b"COVE1\n";
const LENGTH: usize = 32;

/// The secret of one boot.
#[derive(Clone)]
pub struct BootSecret([u8; LENGTH]);

impl std::fmt::Debug for BootSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BootSecret(..)")
    }
}

/// Why a connection was refused.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The stream ended or failed.
    #[error("the other side left during the handshake")]
    Stream(#[source] io::Error),
    /// The other side took too long.
    #[error("the other side did not prove itself within {} s", DEADLINE.as_secs())]
    Deadline,
    /// It speaks something else.
    #[error("the other side does not speak Cove's handshake")]
    Greeting,
    /// It does not know the secret.
    #[error("the other side does not know the secret of this boot")]
    Proof,
    /// The system gave no random bytes.
    #[error("the system gave no random bytes: {0}")]
    Random(getrandom::Error),
}

impl BootSecret {
    /// Makes a new secret.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn generate() -> Result<Self, HandshakeError> {
        Ok(Self(random()?))
    }

    /// Takes a secret from its bytes; `None` if there are not exactly 32.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The host's side.
    ///
    /// # Errors
    /// If the guest does not prove itself; the stream is then of no use.
    pub async fn prove_as_host<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S) -> Result<(), HandshakeError> {
        within_deadline(self.host_side(stream)).await
    }

    /// The guest's side.
    ///
    /// # Errors
    /// If the host does not prove itself; the stream is then of no use.
    pub async fn prove_as_guest<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
    ) -> Result<(), HandshakeError> {
        within_deadline(self.guest_side(stream)).await
    }

    async fn host_side<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S) -> Result<(), HandshakeError> {
        let ours = random()?;
        let mut hello = GREETING.to_vec();
        hello.extend_from_slice(&ours);
        stream.write_all(&hello).await.map_err(HandshakeError::Stream)?;
        let mut theirs = [0; LENGTH];
        let mut proof = [0; LENGTH];
        stream.read_exact(&mut theirs).await.map_err(HandshakeError::Stream)?;
        stream.read_exact(&mut proof).await.map_err(HandshakeError::Stream)?;
        self.mac(b"guest", &ours, &theirs).verify_slice(&proof).map_err(|_| HandshakeError::Proof)?;
        let proof = self.mac(b"host", &theirs, &ours).finalize().into_bytes();
        stream.write_all(&proof).await.map_err(HandshakeError::Stream)?;
        stream.flush().await.map_err(HandshakeError::Stream)
    }

    async fn guest_side<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S) -> Result<(), HandshakeError> {
        let mut greeting = [0; GREETING.len()];
        stream.read_exact(&mut greeting).await.map_err(HandshakeError::Stream)?;
        if &greeting != GREETING {
            return Err(HandshakeError::Greeting);
        }
        let mut theirs = [0; LENGTH];
        stream.read_exact(&mut theirs).await.map_err(HandshakeError::Stream)?;
        let ours = random()?;
        let mut answer = ours.to_vec();
        answer.extend_from_slice(&self.mac(b"guest", &theirs, &ours).finalize().into_bytes());
        stream.write_all(&answer).await.map_err(HandshakeError::Stream)?;
        stream.flush().await.map_err(HandshakeError::Stream)?;
        let mut proof = [0; LENGTH];
        stream.read_exact(&mut proof).await.map_err(HandshakeError::Stream)?;
        self.mac(b"host", &ours, &theirs).verify_slice(&proof).map_err(|_| HandshakeError::Proof)
    }

    fn mac(&self, side: &[u8], first: &[u8; LENGTH], second: &[u8; LENGTH]) -> Hmac<Sha256> {
        // HMAC pads a short key with zeros to the hash's block; done here it cannot fail.
        let mut key = [0; 64];
        key[..LENGTH].copy_from_slice(&self.0);
        let mut mac = Hmac::<Sha256>::new(&key.into());
        mac.update(side);
        mac.update(first);
        mac.update(second);
        mac
    }
}

async fn within_deadline(side: impl Future<Output = Result<(), HandshakeError>>) -> Result<(), HandshakeError> {
    tokio::time::timeout(DEADLINE, side).await.unwrap_or(Err(HandshakeError::Deadline))
}

fn random() -> Result<[u8; LENGTH], HandshakeError> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(HandshakeError::Random)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_sides_of_one_boot_agree() {
        let secret = BootSecret::generate().unwrap();
        let (mut host, mut guest) = tokio::io::duplex(256);
        let (h, g) = tokio::join!(secret.prove_as_host(&mut host), secret.prove_as_guest(&mut guest));
        h.unwrap();
        g.unwrap();
    }

    #[tokio::test]
    async fn a_host_without_the_secret_learns_it_from_a_failed_proof() {
        let (mut host, mut guest) = tokio::io::duplex(256);
        let (ours, stranger) = (BootSecret::generate().unwrap(), BootSecret::generate().unwrap());
        let guest_side = tokio::spawn(async move { ours.prove_as_guest(&mut guest).await });
        assert!(matches!(stranger.prove_as_host(&mut host).await, Err(HandshakeError::Proof)));
        drop(host);
        assert!(guest_side.await.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_host_that_ignores_the_guests_proof_is_still_refused() {
        let (mut host, mut guest) = tokio::io::duplex(256);
        let ours = BootSecret::generate().unwrap();
        let guest_side = tokio::spawn(async move { ours.prove_as_guest(&mut guest).await });
        host.write_all(GREETING).await.unwrap();
        host.write_all(&[1; LENGTH]).await.unwrap();
        host.read_exact(&mut [0; 2 * LENGTH]).await.unwrap();
        host.write_all(&[2; LENGTH]).await.unwrap();
        assert!(matches!(guest_side.await.unwrap(), Err(HandshakeError::Proof)));
    }

    #[tokio::test]
    async fn other_protocols_are_refused_at_the_greeting() {
        let (mut host, mut guest) = tokio::io::duplex(256);
        let ours = BootSecret::generate().unwrap();
        let guest_side = tokio::spawn(async move { ours.prove_as_guest(&mut guest).await });
        host.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        assert!(matches!(guest_side.await.unwrap(), Err(HandshakeError::Greeting)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_is_dropped_at_the_deadline() {
        let (_host, mut guest) = tokio::io::duplex(256);
        let ours = BootSecret::generate().unwrap();
        assert!(matches!(ours.prove_as_guest(&mut guest).await, Err(HandshakeError::Deadline)));
    }
}
