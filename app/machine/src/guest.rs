//! What must be known of the system inside: when it is up, and how to stop it.
//!
//! This crate knows nothing of the API that the two halves speak; who does (the daemon) implements [`Guest`].
//!
//! The console carries what cannot wait for an API. PID 1 writes lines that begin with [`CONSOLE_PREFIX`]: its first one
//! ends the kernel phase, [`AGENT_READY`] says that dialling makes sense, [`FATAL`] that waiting does not. [`AGENT_ENDED`]
//! and [`AGENT_SETTLED`] tell how it is with the agent afterwards.

use std::{sync::Arc, time::Duration};

use crate::hypervisor::{BoxFuture, Vm};

/// How PID 1's lines on the console begin.
pub const CONSOLE_PREFIX: &str = "cove-guest: ";
/// PID 1's first line.
pub const CONSOLE_BOOT: &str = "cove-guest: init";
/// The line that says that the agent listens.
pub const AGENT_READY: &str = "cove-guest: agent ready";
/// How the line goes on that says that the agent has ended: with how many have in a row.
pub const AGENT_ENDED: &str = "cove-guest: agent ended: ";
/// The line that says that an agent stays, after some that did not.
pub const AGENT_SETTLED: &str = "cove-guest: agent settled";
/// How the line begins that says why PID 1, or the agent, cannot go on.
pub const FATAL: &str = "cove-guest: fatal: ";

/// Why the guest did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct GuestError(pub String);

/// The system inside the machine.
pub trait Guest: Send + Sync {
    /// Makes a new secret for a new boot and uses it from now on.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    fn new_secret(&self) -> Result<Vec<u8>, GuestError>;

    /// Uses the secret of a boot that an earlier daemon began.
    ///
    /// # Errors
    /// If these bytes are no secret.
    fn restore_secret(&self, secret: &[u8]) -> Result<(), GuestError>;

    /// Answers when the agent does; tries again until then. It is dropped when the phase's deadline is over.
    ///
    /// # Errors
    /// If trying again makes no sense: it speaks another protocol, or does not know the secret.
    fn ready(&self, vm: Arc<dyn Vm>) -> BoxFuture<'_, Result<(), GuestError>>;

    /// Asks the agent to stop everything, giving containers `grace`, and then to power off. Answers when the agent has
    /// agreed; the end of the machine is seen by the caller.
    ///
    /// # Errors
    /// If the agent cannot be asked.
    fn power_off(&self, vm: Arc<dyn Vm>, grace: Duration) -> BoxFuture<'_, Result<(), GuestError>>;
}
