//! The kernel's vhost-vsock.

use std::{
    collections::hash_map::RandomState,
    fs::OpenOptions,
    hash::{BuildHasher, Hasher},
    io,
    time::Duration,
};

use cove_machine::hypervisor::{Connection, HypervisorError};
use tokio::time::timeout;
use tokio_vsock::{VsockAddr, VsockStream};

/// The device that QEMU opens.
pub const DEVICE: &str = "/dev/vhost-vsock";
const ANSWER: Duration = Duration::from_secs(5);

/// Why the device cannot be opened; `None` if it can.
#[must_use]
pub fn closed() -> Option<io::Error> {
    OpenOptions::new().read(true).write(true).open(DEVICE).err()
}

/// A context id that no other machine of the host has, with near certainty: 31 random bits. QEMU refuses one in use.
#[must_use]
pub fn new_cid() -> u32 {
    let random = RandomState::new().build_hasher().finish();
    // 0 to 2 are reserved, and so is what has the highest bit set in some tools.
    let [a, b, c, d, ..] = random.to_le_bytes();
    (u32::from_le_bytes([a, b, c, d]) & 0x7fff_ffff).max(3)
}

/// Dials a port of the guest.
///
/// # Errors
/// [`HypervisorError::NotListening`] if nobody answers there (yet).
pub async fn dial(cid: u32, port: u32) -> Result<Connection, HypervisorError> {
    match timeout(ANSWER, VsockStream::connect(VsockAddr::new(cid, port))).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) if is_refusal(&error) => Err(HypervisorError::NotListening(port)),
        Ok(Err(error)) => {
            Err(HypervisorError::Operation { operation: format!("dial vsock port {port}"), cause: error.to_string() })
        }
        Err(_) => Err(HypervisorError::NotListening(port)),
    }
}

/// The guest resets what nobody listens for, and does not answer before its driver is there.
fn is_refusal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused | io::ErrorKind::TimedOut)
        || error.raw_os_error() == Some(nix::libc::ENODEV)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_ids_are_neither_reserved_nor_the_same() {
        let ids: std::collections::HashSet<u32> = (0..64).map(|_| new_cid()).collect();
        assert!(ids.len() > 60 && ids.iter().all(|id| (3..0x8000_0000).contains(id)));
    }
}
