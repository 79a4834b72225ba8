//! One helper process per machine: it owns the hypervisor's handle, so the machine and its containers survive a crash, an
//! upgrade or kill -9 of the daemon, which adopts them again. It is also the only process that needs an entitlement.
//!
//! ```text
//!  coved ── HelperHypervisor ──── machine.sock ───► coved machine ── the host's hypervisor
//!            (client.rs)          (protocol.rs)      (server.rs)
//! ```
//!
//! In the machine's runtime folder: `machine.sock`; `machine.json`, what the helper was told; `machine.pid`, who it is;
//! `machine.exit`, how the machine ended, for a daemon that was not there. The daemon holds the home's lock, so two of them
//! never meet here.
//!
//! * `backend` — which hypervisor this host has.
//! * `files` — those files.
//! * `protocol` — what goes over the socket.
//! * `server` — the helper.
//! * `client` — [`HelperHypervisor`], the daemon's side, a [`cove_machine::hypervisor::Adopt`].
//! * `vm` — the daemon's handle to a helper's machine.
//! * `process` — telling a process from a later one with the same number, and ending it.

use std::path::PathBuf;

mod backend;
mod client;
mod files;
mod process;
mod protocol;
mod server;
mod vm;

pub use backend::DATA_DISK;
pub use client::HelperHypervisor;
pub use server::run;

/// The hypervisor of this host, whose helper is this very program.
///
/// # Errors
/// If the system does not say where this program is.
pub fn hypervisor() -> std::io::Result<HelperHypervisor> {
    std::env::current_exe().map(HelperHypervisor::new)
}

/// Arguments of `coved machine`.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// What to run: a file that the daemon wrote.
    #[arg(long)]
    pub spec: PathBuf,
}

/// Why the helper could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum HelperError {
    /// A file of it.
    #[error("{what} {}", path.display())]
    File {
        /// "read", "write", ...
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Its socket.
    #[error(transparent)]
    Socket(#[from] cove_platform::local::BindError),
    /// Its runtime, or its standard output.
    #[error("set up the helper process")]
    Setup(#[source] std::io::Error),
    /// The machine.
    #[error(transparent)]
    Machine(#[from] cove_machine::hypervisor::HypervisorError),
}
