//! One daemon's call.

use std::{
    collections::HashMap,
    fmt::Display,
    sync::{Mutex, PoisonError},
};

use cove_proto::v1::{
    HostRefusal, ServeGuestRequest, ServeGuestResponse, serve_guest_request::Answer, serve_guest_response::Request,
};
use futures::{Stream, StreamExt};
use tokio::sync::{mpsc, oneshot};

use super::AskError;

/// Requests that may be on their way at once; further ones wait.
const ON_THEIR_WAY: usize = 64;

type Waiting = HashMap<u64, oneshot::Sender<Answer>>;

/// The call, and who waits for an answer on it.
#[derive(Debug)]
pub(super) struct Link {
    requests: mpsc::Sender<ServeGuestResponse>,
    /// `None` once the call has ended.
    waiting: Mutex<Option<Waiting>>,
}

impl Link {
    pub(super) fn new() -> (Self, mpsc::Receiver<ServeGuestResponse>) {
        let (requests, taken) = mpsc::channel(ON_THEIR_WAY);
        (Self { requests, waiting: Mutex::new(Some(HashMap::new())) }, taken)
    }

    /// Hands out answers until there are no more, or nobody takes requests any more.
    pub(super) async fn hear<A, E>(&self, mut answers: A)
    where
        A: Stream<Item = Result<ServeGuestRequest, E>> + Unpin,
        E: Display,
    {
        loop {
            let answer = tokio::select! {
                answer = answers.next() => answer,
                () = self.requests.closed() => return,
            };
            match answer {
                Some(Ok(ServeGuestRequest { id, answer: Some(answer) })) => self.give(id, answer),
                // The first, which says that the daemon is there.
                Some(Ok(ServeGuestRequest { answer: None, .. })) => {}
                Some(Err(error)) => return tracing::info!(%error, "the daemon left"),
                None => return,
            }
        }
    }

    fn give(&self, id: u64, answer: Answer) {
        if let Some(asker) = self.waiting().as_mut().and_then(|waiting| waiting.remove(&id)) {
            // Who does not wait any more does not need it.
            let _ = asker.send(answer);
        }
    }

    /// Whoever waits learns that no answer will come.
    pub(super) fn end(&self) {
        self.waiting().take();
    }

    pub(super) async fn ask(&self, id: u64, request: Request) -> Result<Answer, AskError> {
        let (give, answer) = oneshot::channel();
        self.waiting().as_mut().ok_or(AskError::Left)?.insert(id, give);
        let _forget = Forget(self, id);
        let request = ServeGuestResponse { id, request: Some(request) };
        self.requests.send(request).await.map_err(|_| AskError::Left)?;
        answer.await.map_err(|_| AskError::Left)
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Option<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Forget<'a>(&'a Link, u64);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        if let Some(waiting) = self.0.waiting().as_mut() {
            waiting.remove(&self.1);
        }
    }
}

impl From<HostRefusal> for AskError {
    fn from(HostRefusal { errno, message }: HostRefusal) -> Self {
        Self::Refused { errno, message }
    }
}
