//! VZ's descriptors → ours.
#![expect(unsafe_code, reason = "a descriptor of VZ is a number until it has been duplicated")]

use std::{
    io,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::net::UnixStream as StdStream,
    },
};

use cove_machine::hypervisor::Connection;
use objc2_virtualization::VZVirtioSocketConnection;
use tokio::net::UnixStream;

/// Takes a connection out of VZ's hands, whose own descriptor closes with its object. The stream goes on with ours: Apple's
/// containerization duplicates and closes likewise.
pub(super) fn take(connection: &VZVirtioSocketConnection) -> io::Result<OwnedFd> {
    // SAFETY: on the queue, like all of VZ.
    let number = unsafe { connection.fileDescriptor() };
    if number < 0 {
        return Err(io::ErrorKind::NotConnected.into());
    }
    // SAFETY: it stays open until `close` below: the connection is borrowed, and only the queue closes it.
    let theirs = unsafe { BorrowedFd::borrow_raw(number) };
    let ours = theirs.try_clone_to_owned();
    // SAFETY: on the queue.
    unsafe { connection.close() };
    ours
}

/// A socket as a stream. VZ does not say of which family it is; reading, writing and shutting down are the same for every
/// stream socket, and nothing else is done with it.
///
/// # Errors
/// If the runtime has no place for it.
pub(super) fn stream(socket: OwnedFd) -> io::Result<Connection> {
    let socket = StdStream::from(socket);
    socket.set_nonblocking(true)?;
    Ok(Box::new(UnixStream::from_std(socket)?))
}
