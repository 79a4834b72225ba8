//! The output of an exec, from its pipes to the client. When the client has left it goes nowhere, so that the program does
//! not hang on a full pipe.

use std::sync::Arc;

use bytes::Bytes;
use tokio::{io::Interest, sync::mpsc::Sender, task::JoinSet, time::timeout};

use crate::{
    containers::{DRAIN, program::Program},
    logs::Stream,
    streams,
};

/// One read; as much as HTTP/2 takes without cutting, twice.
const READ_BYTES: usize = 32 * 1024;

/// A piece of output.
pub(super) type Output = (Stream, Bytes);

/// Carries the output of a program to `to`, or nowhere.
pub(super) fn outputs(program: &Arc<dyn Program>, to: Option<&Sender<Output>>) -> JoinSet<()> {
    let mut pumps = JoinSet::new();
    for (stream, fd) in program.outputs() {
        let to = to.cloned();
        pumps.spawn(async move {
            if let Err(error) = carry(&fd, stream, to).await {
                tracing::warn!(%error, "the output of an exec cannot be read");
            }
        });
    }
    pumps
}

async fn carry(fd: &std::os::fd::OwnedFd, stream: Stream, mut to: Option<Sender<Output>>) -> std::io::Result<()> {
    let from = streams::watch(fd, Interest::READABLE)?;
    let mut buffer = Vec::new();
    loop {
        buffer.reserve(READ_BYTES);
        if !streams::read(&from, &mut buffer).await? {
            return Ok(());
        }
        match &to {
            None => buffer.clear(),
            Some(client) => {
                if client.send((stream, Bytes::from(std::mem::take(&mut buffer)))).await.is_err() {
                    to = None;
                }
            }
        }
    }
}

/// Waits until all that a program wrote is carried, with patience for those who hold its pipes open behind it.
pub(super) async fn drain(mut pumps: JoinSet<()>) {
    let drained = timeout(DRAIN, async { while pumps.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        pumps.abort_all();
    }
}

/// Sees a program to its end whose client went with an earlier agent. Nobody can come back to it, so it is told that its
/// input has ended, or that its terminal is gone.
pub async fn abandon(program: Arc<dyn Program>, has_terminal: bool) {
    if has_terminal {
        // One that has ended already needs no telling.
        let _ = program.signal(libc::SIGHUP);
    } else {
        program.close_input().await;
    }
    let pumps = outputs(&program, None);
    program.wait().await;
    drain(pumps).await;
    if let Err(error) = program.release().await {
        tracing::warn!(%error, "an exec leaves something behind");
    }
}
