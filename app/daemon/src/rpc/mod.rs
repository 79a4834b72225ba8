//! The services of `cove.v1` that are implemented on the host: a folder per service, a file per method.
//!
//! * [`machine`] — `cove.v1.Machine`.
//! * [`registry`] — `cove.v1.Registry`.
//! * [`shares`] — `cove.v1.Shares`.
//! * [`error`] — what went wrong as gRPC says it.

pub mod error;
pub mod machine;
pub mod registry;
pub mod shares;
