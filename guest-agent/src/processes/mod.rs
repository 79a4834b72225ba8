//! Processes of containers, as the agent sees them: started by PID 1 on request, known by pidfd, with their standard
//! streams. The kernel work of becoming a container is in [`crate::container_init`]; what a container *is* to its users
//! is in `containers`.
//!
//! * [`launch`] — what it takes to start one; plain data.
//! * [`connection`] — the one task that talks to PID 1; [`Processes`] is the handle to it.
//! * [`start`] — from a launch to a request: cgroup, root file system, filter.
//! * [`beside`] — the same for what a container sees beside its root file system; `shared_memory` — for /dev/shm of
//!   containers that share it.
//! * [`process`] — a process: streams, signals, its end; [`kill_session`] — with all that it started.
//! * [`error`] — why one could not be started, in Docker's words.

pub(crate) mod beside;
pub mod connection;
pub mod error;
mod kill_session;
pub mod launch;
pub mod process;
mod shared_memory;
pub mod start;

pub use connection::{ConnectError, Kept, Processes};
pub use error::LaunchError;
pub use process::{Kind, Process, ReleaseError, SignalError, Stdio};
