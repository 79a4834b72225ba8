//! Descriptors that tokio watches. Its constructors that are safe to call are deprecated, because a type may lie about its
//! descriptor; those that the standard library owns do not.
#![expect(unsafe_code, reason = "tokio's constructors of AsyncFd ask for a promise that OwnedFd keeps")]

use std::{io, os::fd::OwnedFd};

use tokio::io::{Interest, unix::AsyncFd};

/// Watches a non-blocking descriptor. Within a tokio runtime.
///
/// # Errors
/// EPERM for what cannot be waited for, a regular file.
pub fn watch(descriptor: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd names one descriptor, which is open for as long as it lives.
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, interest) }?)
}
