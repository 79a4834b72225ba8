//! Accept loops and connections of both endpoints.
//!
//! * [`engine`] — `cove.v1` over HTTP/2.
//! * [`docker`] — the Docker API over HTTP/1.1.

pub mod docker;
pub mod engine;

use std::{future::Future, time::Duration};

use cove_platform::local::{AcceptError, LocalListener, LocalStream};
use tokio::{sync::watch, task::JoinSet};

/// What a loop waits after the system refused a connection: for want of descriptors there is no event that says when
/// there are some again, and trying at once burns a CPU.
const BREATH: Duration = Duration::from_millis(100);

/// How long connections may take to end once the daemon is told to stop and the machine is down.
const FAREWELL: Duration = Duration::from_secs(2);

/// The two steps by which serving ends.
#[derive(Debug, Clone)]
pub struct Ending {
    /// No new connections, no starts of the machine.
    pub closing: watch::Receiver<bool>,
    /// The machine is down: connections end as soon as their answers are out.
    pub leaving: watch::Receiver<bool>,
}

/// Accepts connections until closing, gives each to `serve`, and then waits for them a little.
pub async fn accept<F>(mut listener: LocalListener, ending: Ending, serve: impl Fn(LocalStream, Ending) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    let mut closing = ending.closing.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(stream) => {
                    connections.spawn(serve(stream, ending.clone()));
                }
                Err(stranger @ AcceptError::Stranger { .. }) => {
                    tracing::warn!(endpoint = %listener.endpoint(), "{stranger}");
                }
                Err(AcceptError::System(error)) => {
                    tracing::error!(endpoint = %listener.endpoint(), %error, "could not accept a connection");
                    tokio::time::sleep(BREATH).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = told(&mut closing) => break,
        }
    }
    // The socket goes away at once: who comes now finds nothing, rather than somebody who does not answer.
    drop(listener);
    let mut leaving = ending.leaving;
    let last = async {
        told(&mut leaving).await;
        tokio::time::sleep(FAREWELL).await;
    };
    tokio::select! {
        () = last => connections.shutdown().await,
        () = async { while connections.join_next().await.is_some() {} } => {}
    }
}

/// Waits until a step is taken; the daemon that drops its end has taken it too.
pub async fn told(step: &mut watch::Receiver<bool>) {
    // An error says that the sender is gone.
    step.wait_for(|taken| *taken).await.ok();
}
