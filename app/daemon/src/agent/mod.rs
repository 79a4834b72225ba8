//! The agent as it is seen from here.
//!
//! * [`Agent`] — the secret of the present boot and what is known of the agent.
//! * `connection` — one HTTP/2 connection to it, proved with the secret.
//! * `severed` — which ends with the machine.
//! * `streams` — raw streams into it, proved alike.
//! * `guest` — how the machine's life asks whether it is up and tells it to power off.
//! * [`clock`] — keeps the guest's clock right.

pub mod clock;
mod connection;
mod guest;
mod severed;
mod streams;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cove_machine::hypervisor::Vm;
use cove_proto::boot_secret::BootSecret;

pub use connection::{CONNECTION_WINDOW_BYTES, Connection, DialError, STREAM_WINDOW_BYTES};

/// The agent of the present boot.
#[derive(Debug, Default)]
pub struct Agent {
    secret: Mutex<Option<BootSecret>>,
    round_trip_nanos: AtomicU64,
}

impl Agent {
    /// An agent of which nothing is known yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Makes a new connection to the agent.
    ///
    /// # Errors
    /// If nothing answers, or what answers does not know the secret.
    pub async fn dial(&self, vm: Arc<dyn Vm>) -> Result<Connection, DialError> {
        let secret = self.secret().ok_or(DialError::NoSecret)?;
        Connection::dial(vm, &secret).await
    }

    /// How long the last ping took there and back.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        let nanos = self.round_trip_nanos.load(Ordering::Relaxed);
        (nanos > 0).then(|| Duration::from_nanos(nanos))
    }

    fn pinged(&self, round_trip: Option<Duration>) {
        let nanos = round_trip.map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        self.round_trip_nanos.store(nanos, Ordering::Relaxed);
    }

    fn secret(&self) -> Option<BootSecret> {
        self.secret.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn use_secret(&self, secret: BootSecret) {
        *self.secret.lock().unwrap_or_else(PoisonError::into_inner) = Some(secret);
    }
}
