//! What is asked of registries: logins, and what a reference leads to.
//!
//! * `credentials` — the header that names who asks.

pub(super) mod auth;
mod credentials;
pub(super) mod distribution;

pub(super) use credentials::credentials;

use crate::error::Error;

/// dockerd has a status of its own for what is not there and what makes no sense; all else that a registry does is 500.
pub(super) fn refused(status: tonic::Status) -> Error {
    match status.code() {
        tonic::Code::NotFound | tonic::Code::InvalidArgument => Error::Engine(status),
        _ => Error::Internal(crate::error::chain(&status)),
    }
}
