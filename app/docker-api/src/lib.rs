//! Docker Engine API to cove.v1: the only crate that knows Docker's URLs, JSON and API versions.
//!
//! A translator without state: Docker's HTTP comes in, calls of `cove.v1` go out to the [`Engine`] that it is given.
//!
//! * [`api`] — the public surface: an [`Api`] serves one connection after the other.
//! * `connection` — HTTP/1.1 on one stream, and how a handler takes the stream over.
//! * `routes` — the table of endpoints; below it a folder per noun and a file per verb.
//! * `call` — what a handler gets: parameters, query, body and clients of the engine.
//! * `dialled` — the engine as generated clients take it.
//! * `reply` — what a handler gives back.
//! * `hijack` — the octets of attach and exec in both directions; `frames` tells the two outputs apart.
//! * `spec` — the body of a create request to a `ContainerSpec`, and what is refused.
//! * `shapes` — the JSON of containers and images.
//! * `query`, `version`, `timestamps` — filters and numbers, API versions, Go's ways to write times.
//! * `error` — every error and its HTTP status.

pub mod api;
mod call;
mod connection;
mod dialled;
mod error;
mod frames;
mod hijack;
mod query;
mod reply;
mod routes;
mod shapes;
mod spec;
mod timestamps;
mod version;

pub use api::{Api, BoxError, Engine, HostFacts, ServeError};
