//! Carries what a process writes from its pipe or terminal into its log.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use tokio::io::Interest;

use super::{Log, Stream};
use crate::{
    clock,
    streams::{self, Got},
};

/// What a pipe holds before its writer has to wait; Linux grants an unprivileged process no more either.
const PIPE_BYTES: usize = 1024 * 1024;
/// One read.
const READ_BYTES: usize = 256 * 1024;
/// How much is read before the runtime gets a say again.
const TURN_BYTES: usize = 16 * 1024 * 1024;

/// Reads `output` to its end. The log is written on a blocking thread: when the disk stalls, only this container waits.
///
/// When the log cannot be written (the disk is full), output is dropped, as dockerd does: a container must not hang
/// because nobody can keep what it says. Those who are attached get it all the same; it waits only for them, when they are
/// too far behind.
///
/// # Errors
/// If the descriptor cannot be read.
pub async fn pump(output: impl AsFd, stream: Stream, log: Log) -> io::Result<()> {
    let source = Arc::new(streams::watch_in_time(output, Interest::READABLE).await?);
    // A terminal is no pipe, and then this has no meaning; a pipe that stays at 64 KiB works as well.
    let _ = rustix::pipe::fcntl_setpipe_size(source.get_ref(), PIPE_BYTES);
    let mut full = log.full();
    loop {
        // The log is alive for as long as this is.
        let _ = full.wait_for(|full| !full).await;
        let mut ready = source.readable().await?;
        let (from, to) = (Arc::clone(&source), log.clone());
        let turn = tokio::task::spawn_blocking(move || take_turn(from.get_ref(), stream, &to));
        let Ok(turn) = turn.await else { return Ok(()) };
        match turn? {
            Got::Data => {}
            Got::Nothing => ready.clear_ready(),
            Got::End => return Ok(()),
        }
    }
}

/// Reads until there is nothing at the moment, or for a while, or until those who are attached have to read first.
fn take_turn(fd: &OwnedFd, stream: Stream, log: &Log) -> io::Result<Got> {
    let full = log.full();
    let mut buffer = Vec::with_capacity(READ_BYTES);
    let mut taken = 0;
    while taken < TURN_BYTES && !*full.borrow() {
        buffer.clear();
        let got = streams::read_into(fd, &mut buffer)?;
        if got != Got::Data {
            return Ok(got);
        }
        taken += buffer.len();
        if let Err(error) = log.append(stream, &buffer, clock::now_nanos()) {
            tracing::warn!(log = %log.path().display(), error = &error as &dyn std::error::Error, "output is lost");
        }
    }
    Ok(Got::Data)
}
