//! PID 1: boots the guest, keeps the agent alive, and owns what must outlive it. One thread, no runtime.
//!
//! ```text
//! stage one (on the kernel's initramfs)     stage two (on a file system of its own)
//!   console: "cove-guest: init"               mounts, cgroups, settings, modules
//!   everything to a tmpfs, which              the agent's ports
//!   becomes the root                  ──────► supervise: agent ⇄ requests, children, power off
//! ```
//!
//! * [`root`] — stage one. [`guest`] — stage two's mounts, host name, settings. [`modules`] — the kernel's.
//! * [`console`] — what the host reads.
//! * [`agent`] — the agent's process. [`protocol`], [`packet`] — what is said with it.
//! * [`supervisor`] — the loop. [`spawn`] — a request becomes a process. [`held`] — what outlives an agent.
//! * [`power_off`] — the end.

pub mod agent;
mod console;
mod guest;
mod held;
mod modules;
pub mod packet;
mod power_off;
pub mod protocol;
mod root;
mod spawn;
mod supervisor;

use std::{convert::Infallible, io, process::ExitCode};

/// Why the guest cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
struct BootError {
    what: String,
    #[source]
    source: io::Error,
}

/// Names what was being done.
trait Doing<T> {
    fn doing(self, what: impl Into<String>) -> Result<T, BootError>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl Into<String>) -> Result<T, BootError> {
        self.map_err(|error| BootError { what: what.into(), source: error.into() })
    }
}

/// Whether the first process that executes this is the guest's, and not that of a container that found it as
/// /proc/self/exe.
#[must_use]
pub fn is_wanted() -> bool {
    std::process::id() == 1 && root::is_of_the_guest()
}

/// Runs PID 1. It returns only to say that there is no way to power off, which the kernel takes for a panic.
#[must_use]
pub fn run() -> ExitCode {
    let second = std::env::args().nth(1).as_deref() == Some(root::SECOND_STAGE);
    let Err(error) = if second { serve() } else { root::move_off_the_initramfs() };
    console::fatal(&error);
    power_off::now();
    ExitCode::FAILURE
}

/// The boot, in its order.
fn serve() -> Result<Infallible, BootError> {
    guest::mount_file_systems()?;
    guest::make_cgroups()?;
    guest::raise_limits()?;
    guest::name_it()?;
    guest::apply_settings()?;
    modules::load()?;
    guest::close_vsock_to_namespaces()?;
    guest::bring_up_loopback()?;
    let ports = agent::Ports::bind()?;
    supervisor::Supervisor::new(ports)?.run()
}
