//! The host, as the agent knows it: what only a host can do is asked of the daemon, which keeps a call open for that.
//!
//! * [`Host`] — asks. Requests and answers are messages of `cove.v1.Host`; a request may be answered by a raw stream.
//! * `link` — one daemon's call: its requests that wait for an answer.
//! * [`streams`] — raw streams that the host dials, each told by its header where it belongs.
//!
//! The host dials, always: the agent only says what it wants. A daemon that goes away takes all that it did for the agent
//! with it; whoever had something from it sees the next daemon come ([`Host::daemons`]) and asks again.

mod link;
pub mod streams;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cove_proto::v1::{
    ServeGuestRequest, ServeGuestResponse, serve_guest_request::Answer, serve_guest_response::Request,
};
use futures::Stream;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

use self::link::Link;
pub use self::streams::Raw;

/// How long a request waits for a daemon that is not there: one that starts again takes less, and after a boot it comes as
/// soon as it has seen that the agent answers.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why the host did not do something.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No daemon came.
    #[error("the host is not there")]
    Absent,
    /// It went away before it answered.
    #[error("the host left before it answered")]
    Left,
    /// It says no.
    #[error("{message}")]
    Refused {
        /// Linux's errno, or 0.
        errno: i32,
        /// A sentence.
        message: String,
    },
}

/// The host. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Host(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The present daemon's call.
    link: watch::Sender<Option<Arc<Link>>>,
    last_id: AtomicU64,
    /// Who waits for a raw stream, by the number of the request.
    streams: Mutex<HashMap<u64, oneshot::Sender<Raw>>>,
}

impl Default for Shared {
    fn default() -> Self {
        Self { link: watch::Sender::new(None), last_id: AtomicU64::new(0), streams: Mutex::default() }
    }
}

impl Host {
    /// A daemon's call: its answers in, the agent's requests out. It takes the place of the one before.
    pub fn serve<A, E>(&self, answers: A) -> mpsc::Receiver<ServeGuestResponse>
    where
        A: Stream<Item = Result<ServeGuestRequest, E>> + Send + Unpin + 'static,
        E: std::fmt::Display + Send,
    {
        let (link, requests) = Link::new();
        let link = Arc::new(link);
        self.0.link.send_replace(Some(Arc::clone(&link)));
        let shared = Arc::clone(&self.0);
        tokio::spawn(async move {
            link.hear(answers).await;
            shared.link.send_if_modified(|present| {
                let was_this = present.as_ref().is_some_and(|present| Arc::ptr_eq(present, &link));
                if was_this {
                    *present = None;
                }
                was_this
            });
            link.end();
        });
        requests
    }

    /// Changes whenever a daemon comes or goes; says whether one is there.
    #[must_use]
    pub fn daemons(&self) -> Daemons {
        Daemons(self.0.link.subscribe())
    }

    /// Asks for something.
    ///
    /// # Errors
    /// If the host says no, or there is none.
    pub async fn ask(&self, request: Request) -> Result<Answer, AskError> {
        self.ask_as(self.next_id(), request).await
    }

    /// Asks for something that is nothing to a host that is not there.
    ///
    /// # Errors
    /// If the host says no, or leaves.
    pub async fn tell(&self, request: Request) -> Result<(), AskError> {
        let link = self.0.link.borrow().clone();
        let Some(link) = link else { return Ok(()) };
        match link.ask(self.next_id(), request).await? {
            Answer::Refused(refused) => Err(refused.into()),
            _ => Ok(()),
        }
    }

    /// Asks for something that is answered by a raw stream with the request's number, or by a refusal.
    ///
    /// # Errors
    /// If the host says no, or there is none.
    pub async fn ask_for_stream(&self, request: Request) -> Result<Raw, AskError> {
        let id = self.next_id();
        let (dialled, stream) = oneshot::channel();
        self.streams().insert(id, dialled);
        // Also if whoever waits gives up.
        let _forget = Forget(self, id);
        tokio::select! {
            biased;
            Ok(stream) = stream => Ok(stream),
            // Nothing else than a refusal answers it.
            answer = self.ask_as(id, request) => Err(answer.err().unwrap_or(AskError::Left)),
        }
    }

    async fn ask_as(&self, id: u64, request: Request) -> Result<Answer, AskError> {
        let mut daemons = self.0.link.subscribe();
        let link = timeout(PATIENCE, daemons.wait_for(Option::is_some)).await.map_err(|_| AskError::Absent)?;
        // The sender lives as long as this does.
        let link = link.ok().and_then(|link| link.clone()).ok_or(AskError::Absent)?;
        match link.ask(id, request).await? {
            Answer::Refused(refused) => Err(refused.into()),
            answer => Ok(answer),
        }
    }

    fn next_id(&self) -> u64 {
        self.0.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn streams(&self) -> std::sync::MutexGuard<'_, HashMap<u64, oneshot::Sender<Raw>>> {
        self.0.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who waits for this stream.
    fn waiting(&self, id: u64) -> Option<oneshot::Sender<Raw>> {
        self.streams().remove(&id)
    }
}

struct Forget<'a>(&'a Host, u64);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.0.waiting(self.1);
    }
}

/// Comings and goings of daemons.
#[derive(Debug)]
pub struct Daemons(watch::Receiver<Option<Arc<Link>>>);

impl Daemons {
    /// Answers when another daemon has come than the one that was there before; false if there will be none.
    pub async fn another(&mut self) -> bool {
        loop {
            if self.0.changed().await.is_err() {
                return false;
            }
            if self.0.borrow_and_update().is_some() {
                return true;
            }
        }
    }
}
