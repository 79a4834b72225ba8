//! The services of `cove.v1` that are implemented on the host: a folder per service, a file per method.
//!
//! * [`egress`] — `cove.v1.Egress`.
//! * [`machine`] — `cove.v1.Machine`.
//! * [`registry`] — `cove.v1.Registry`.
//! * [`shares`] — `cove.v1.Shares`.
//! * [`error`] — what went wrong as gRPC says it.

pub mod egress;
pub mod error;
pub mod machine;
pub mod registry;
pub mod shares;
