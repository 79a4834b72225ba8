//! The engine's ends of pipes and terminals, without blocking a worker of the runtime.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use rustix::{
    buffer::spare_capacity,
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    io::Errno,
};
use tokio::io::{Interest, unix::AsyncFd};

use crate::sys;

/// A descriptor that the runtime watches.
pub type Watched = AsyncFd<OwnedFd>;

/// Has the runtime watch a descriptor, which no longer blocks from then on. It is a descriptor of its own: a terminal is
/// watched for reading and for writing, and epoll takes a descriptor only once.
///
/// # Errors
/// If the system has no more descriptors, or this one cannot be watched (a file).
pub fn watch(fd: impl AsFd, interest: Interest) -> io::Result<Watched> {
    let own = fd.as_fd().try_clone_to_owned()?;
    fcntl_setfl(&own, fcntl_getfl(&own)? | OFlags::NONBLOCK)?;
    sys::watch::watch(own, interest)
}

/// After which it is tried again whether anybody has closed a descriptor: nothing tells.
pub const DESCRIPTOR_PATIENCE: Duration = Duration::from_millis(100);

/// As [`watch`], once the engine has a descriptor to spare: what is in the pipe or terminal waits there.
///
/// # Errors
/// As of [`watch`], but for want of descriptors.
pub async fn watch_in_time(fd: impl AsFd, interest: Interest) -> io::Result<Watched> {
    loop {
        match watch(&fd, interest) {
            Err(error) if error.raw_os_error() == Some(libc::EMFILE) => {}
            watched => return watched,
        }
        tokio::time::sleep(DESCRIPTOR_PATIENCE).await;
    }
}

/// What one read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Got {
    /// Bytes.
    Data,
    /// Nothing at the moment.
    Nothing,
    /// The end: the other side is closed.
    End,
}

/// Reads once into the spare room of `buffer`.
///
/// # Errors
/// If the descriptor cannot be read.
pub fn read_into(fd: impl AsFd, buffer: &mut Vec<u8>) -> io::Result<Got> {
    loop {
        match rustix::io::read(fd.as_fd(), spare_capacity(buffer)) {
            // A terminal that nobody has open any more says EIO.
            Ok(0) | Err(Errno::IO) => return Ok(Got::End),
            Ok(_) => return Ok(Got::Data),
            Err(Errno::AGAIN) => return Ok(Got::Nothing),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits until something can be read, and reads once into the spare room of `buffer`; `false` at the end.
///
/// # Errors
/// If the descriptor cannot be read.
pub async fn read(from: &Watched, buffer: &mut Vec<u8>) -> io::Result<bool> {
    loop {
        let mut ready = from.readable().await?;
        match read_into(from.get_ref(), buffer)? {
            Got::Data => return Ok(true),
            Got::End => return Ok(false),
            Got::Nothing => ready.clear_ready(),
        }
    }
}

/// Writes all of `data`, as fast as the other side reads.
///
/// # Errors
/// `BrokenPipe` when the other side does not read any more.
pub async fn write_all(to: &Watched, mut data: &[u8]) -> io::Result<()> {
    while !data.is_empty() {
        let mut ready = to.writable().await?;
        match rustix::io::write(to.get_ref(), data) {
            Ok(written) => data = &data[written..],
            Err(Errno::AGAIN) => ready.clear_ready(),
            Err(Errno::INTR) => {}
            Err(Errno::IO) => return Err(io::ErrorKind::BrokenPipe.into()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
