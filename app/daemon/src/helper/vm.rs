//! The daemon's handle to the machine of a helper.

use std::{io, sync::Arc, time::Duration};

use cove_machine::{
    hypervisor::{BoxFuture, Connection, Exit, HypervisorError, Platform, Vm, VmState},
    lifecycle::ended,
};
use cove_platform::local::LocalStream;
use tokio::{sync::watch, time::timeout};

use super::{
    files::Files,
    protocol::{Dialled, Request, State, receive, send},
};

/// How long a helper may take to say hello on a host that is busy. One that is gone is known at once.
const HELLO: Duration = Duration::from_secs(10);
/// How long it may take to end its machine before it is ended itself, and the machine with it.
const KILL: Duration = Duration::from_secs(10);

/// A machine of a helper.
pub(super) struct HelperVm {
    files: Files,
    platform: Platform,
    state: watch::Receiver<VmState>,
}

impl HelperVm {
    /// Reaches the helper that serves this folder.
    pub(super) async fn reach(files: Files) -> io::Result<Arc<Self>> {
        let hello = async {
            let mut stream = ask(&files, &Request::Watch).await?;
            let platform = receive::<Platform>(&mut stream).await?;
            Ok::<_, io::Error>((stream, platform))
        };
        let (stream, platform) = timeout(HELLO, hello).await??;
        let (sender, state) = watch::channel(VmState::Running);
        tokio::spawn(listen(stream, sender, files.clone()));
        Ok(Arc::new(Self { files, platform, state }))
    }

    async fn dial(&self, port: u32) -> Result<Connection, HypervisorError> {
        let asked = async {
            let mut stream = ask(&self.files, &Request::Connect { port }).await?;
            let dialled = receive::<Dialled>(&mut stream).await?;
            Ok::<_, io::Error>(dialled.map(|()| stream))
        };
        match asked.await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => Err(error),
            Err(error) => match &*self.state.borrow() {
                VmState::Ended(exit) => Err(HypervisorError::Ended(exit.clone())),
                VmState::Running => Err(failed("ask the machine's helper", &error)),
            },
        }
    }

    async fn end(&self) -> io::Result<()> {
        let mut stream = ask(&self.files, &Request::Kill).await?;
        receive::<State>(&mut stream).await.map(drop)
    }
}

impl Vm for HelperVm {
    fn state(&self) -> watch::Receiver<VmState> {
        self.state.clone()
    }

    fn platform(&self) -> Platform {
        self.platform.clone()
    }

    fn connect(&self, port: u32) -> BoxFuture<'_, Result<Connection, HypervisorError>> {
        Box::pin(self.dial(port))
    }

    fn kill(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Err(error) = timeout(KILL, self.end()).await.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
                && *self.state.borrow() == VmState::Running
            {
                tracing::warn!(%error, "the machine's helper does not end it; ending the helper");
                end_helper(&self.files).await;
            }
            ended(self.state.clone()).await;
        })
    }
}

/// Connects and asks.
async fn ask(files: &Files, request: &Request) -> io::Result<LocalStream> {
    let mut stream = LocalStream::connect(&files.endpoint()).await?;
    send(&mut stream, request).await?;
    Ok(stream)
}

/// Waits for the end. A helper that leaves without a word has left one in its file, or has died.
async fn listen(mut stream: LocalStream, state: watch::Sender<VmState>, files: Files) {
    let said = receive::<State>(&mut stream).await;
    let left = files.take_exit();
    let exit = match (said, left) {
        (Ok(VmState::Ended(exit)), _) | (_, Ok(Some(exit))) => exit,
        (_, Err(error)) => Exit::VmmDied(format!("the helper process is gone: {error}")),
        (_, Ok(None)) => Exit::VmmDied("the helper process died".to_owned()),
    };
    state.send_replace(VmState::Ended(exit));
}

async fn end_helper(files: &Files) {
    let ended = match files.read_identity() {
        Ok(Some(identity)) => identity.end().await.map_err(|e| e.to_string()),
        Ok(None) => Ok(()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = ended {
        tracing::error!(error, "the machine's helper does not end");
    }
}

pub(super) fn failed(operation: &str, cause: &dyn std::fmt::Display) -> HypervisorError {
    HypervisorError::Operation { operation: operation.to_owned(), cause: cause.to_string() }
}
