//! Descriptors that tokio watches. Its constructors that are safe to call are deprecated, because a type may lie about its
//! descriptor; those that the standard library owns do not.
#![expect(unsafe_code, reason = "tokio's constructors of AsyncFd ask for a promise that OwnedFd keeps")]

use std::{io, os::fd::OwnedFd, sync::Arc};

use tokio::io::{Interest, unix::AsyncFd};

/// Watches a non-blocking descriptor. Within a tokio runtime.
///
/// # Errors
/// EPERM for what cannot be waited for, a regular file.
pub fn watch(descriptor: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd names one descriptor, which is open for as long as it lives.
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, interest) }?)
}

/// Watches a non-blocking descriptor that others hold too. Within a tokio runtime.
///
/// # Errors
/// EPERM for what cannot be waited for, a regular file; EEXIST when it is watched already: watch a duplicate then.
pub fn watch_shared(descriptor: Arc<OwnedFd>, interest: Interest) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    // SAFETY: an OwnedFd names one descriptor, which is open for as long as it lives, and the Arc keeps it alive.
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, interest) }?)
}
