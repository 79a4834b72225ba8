//! Dialling the guest. The host only ever dials: it listens on no vsock port and on no socket that the guest could reach.
//!
//! * [`kernel`] — by AF_VSOCK, where the kernel has vhost-vsock.
//! * [`hybrid`] — by vhost-device-vsock's unix socket.

use cove_machine::hypervisor::{Connection, HypervisorError};
use std::path::PathBuf;

pub mod hybrid;
pub mod kernel;

/// A way to the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dialler {
    /// By the kernel, to this context id.
    Kernel(u32),
    /// By this socket.
    Hybrid(PathBuf),
}

impl Dialler {
    /// Dials a port, once.
    ///
    /// # Errors
    /// [`HypervisorError::NotListening`] if nothing answers.
    pub async fn dial(&self, port: u32) -> Result<Connection, HypervisorError> {
        match self {
            Self::Kernel(cid) => kernel::dial(*cid, port).await,
            Self::Hybrid(socket) => hybrid::dial(socket, port).await,
        }
    }

    /// What carries it, for people.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Kernel(_) => "vhost-vsock",
            Self::Hybrid(_) => "vhost-device-vsock",
        }
    }

    /// The guest's context id.
    #[must_use]
    pub fn cid(&self) -> u32 {
        match self {
            Self::Kernel(cid) => *cid,
            // Each vhost-device-vsock is a world of its own; this is its default.
            Self::Hybrid(_) => 3,
        }
    }
}
