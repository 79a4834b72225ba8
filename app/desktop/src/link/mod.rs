//! The link to the daemon: one task keeps it and watches the machine through it; everybody else sees what it last said.
//!
//! ```text
//!          it says how the machine is        the watch ends
//!  connecting ──────────► connected ────────────────────────► lost
//!      ▲  │ not reached, or not understood                     ▲ │
//!      │  └────────────────────────────────────────────────────┘ │
//!      └──────────── asked to try again, or a daemon came ───────┘
//! ```

mod containers;
mod machine;

use std::{sync::Arc, time::Duration};

use cove_client::Engine;
use cove_platform::home::Home;
use tokio::sync::{Notify, watch};

use crate::wire::{self, containers::Container, failure::Failure, machine::Machine};

/// How often a daemon is looked for after the one that was there has gone. No system tells of a socket that appears; this
/// runs only while the window says that the engine is gone.
const LOOK: Duration = Duration::from_secs(2);

/// Whether the daemon is reached.
#[derive(Debug, Clone)]
pub(crate) enum Connection {
    /// On the way, or being started.
    Connecting,
    /// Reached.
    Connected(Engine),
    /// Not reached, and why.
    Lost(Failure),
}

impl Connection {
    /// As the page sees it.
    pub(crate) fn wire(&self) -> wire::engine::Engine {
        match self {
            Self::Connecting => wire::engine::Engine::connecting(),
            Self::Connected(_) => wire::engine::Engine::connected(),
            Self::Lost(failure) => wire::engine::Engine::lost(failure.clone()),
        }
    }
}

/// How the link was lost.
struct Loss {
    failure: Failure,
    /// The daemon answers; it is no use to try it again.
    is_there: bool,
}

/// What the link's task last said. A clone sees the same.
#[derive(Debug, Clone)]
pub(crate) struct Link(Arc<Said>);

#[derive(Debug)]
struct Said {
    connection: watch::Sender<Connection>,
    machine: watch::Sender<Option<Machine>>,
    containers: watch::Sender<Vec<Container>>,
    again: Notify,
}

impl Link {
    /// A link that [`Link::keep`] has not begun to keep.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Said {
            connection: watch::Sender::new(Connection::Connecting),
            machine: watch::Sender::new(None),
            containers: watch::Sender::new(Vec::new()),
            again: Notify::new(),
        }))
    }

    /// Whether the daemon is reached, from now on.
    pub(crate) fn connection(&self) -> watch::Receiver<Connection> {
        self.0.connection.subscribe()
    }

    /// The machine from now on; nothing while the daemon is not reached.
    pub(crate) fn machine(&self) -> watch::Receiver<Option<Machine>> {
        self.0.machine.subscribe()
    }

    /// The containers from now on; none while the machine does not run.
    pub(crate) fn containers(&self) -> watch::Receiver<Vec<Container>> {
        self.0.containers.subscribe()
    }

    /// The way to the daemon, once it is known whether there is one.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn engine(&self) -> Result<Engine, Failure> {
        match self.settled().await {
            Connection::Connected(engine) => Ok(engine),
            Connection::Lost(failure) => Err(failure),
            Connection::Connecting => Err(Failure::new("the engine is not reached")),
        }
    }

    /// Tries again if the daemon is lost, and says what came of it.
    pub(crate) async fn again(&self) -> Connection {
        let lost = self.0.connection.send_if_modified(|connection| {
            let lost = matches!(connection, Connection::Lost(_));
            if lost {
                *connection = Connection::Connecting;
            }
            lost
        });
        if lost {
            self.0.again.notify_one();
        }
        self.settled().await
    }

    async fn settled(&self) -> Connection {
        let mut connection = self.connection();
        let settled = connection.wait_for(|connection| !matches!(connection, Connection::Connecting)).await;
        // The sender lives as long as this link.
        settled.map_or(Connection::Connecting, |connection| connection.clone())
    }

    /// Keeps the link for as long as the program lives.
    pub(crate) async fn keep(self, home: Home) {
        loop {
            self.0.connection.send_replace(Connection::Connecting);
            let lost = match Engine::reach_in(&home).await {
                Ok((engine, _)) => machine::watch(&self, &engine).await,
                Err(error) => Loss { failure: error.into(), is_there: false },
            };
            self.0.machine.send_replace(None);
            self.0.containers.send_replace(Vec::new());
            self.0.connection.send_replace(Connection::Lost(lost.failure));
            self.reason_to_try(&home, lost.is_there).await;
        }
    }

    /// Waits until somebody asks, or a daemon comes.
    async fn reason_to_try(&self, home: &Home, mut is_there: bool) {
        loop {
            tokio::select! {
                () = self.0.again.notified() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            let was_there = std::mem::replace(&mut is_there, matches!(Engine::find(home).await, Ok(Some(_))));
            if is_there && !was_there {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_a_daemon_the_reason_is_said_and_trying_again_says_it_again() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::find(Some(folder.path().to_owned())).unwrap();
        let link = Link::new();
        // No `coved` lies beside a test.
        let keeping = tokio::spawn(link.clone().keep(home));
        let failure = link.engine().await.unwrap_err();
        assert_eq!(failure.what, "the engine is not reached");
        assert!(failure.why.starts_with("no "), "{failure:?}");
        assert!(matches!(link.again().await, Connection::Lost(_)));
        keeping.abort();
    }
}
