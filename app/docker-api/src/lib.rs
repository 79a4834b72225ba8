//! Docker Engine API to cove.v1: the only crate that knows Docker's URLs, JSON and API versions.
//!
//! A translator without state: Docker's HTTP comes in, calls of `cove.v1` go out to the [`Engine`] that it is given.
//!
//! * [`api`] — the public surface: an [`Api`] serves one connection after the other.

pub mod api;

pub use api::{Api, BoxError, Engine, HostFacts, ServeError};
