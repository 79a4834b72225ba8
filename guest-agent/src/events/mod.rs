//! What happens to containers, images, volumes and networks, told as dockerd tells it.
//!
//! Whoever does something publishes it ([`Events::publish`]); whoever wants to know watches ([`watch`]), with [`filter`]s
//! if it likes. The last 256 events of this boot are [`kept`] for those who come late. Nothing waits for a watcher: one that does not keep
//! up is told so and let go.

mod filter;
mod kept;
mod watch;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use self::kept::Kept;
pub use self::{
    filter::{Filter, FilterError},
    watch::{Missed, Span},
};
use crate::clock;

/// How many events a watcher may lag behind, as in dockerd.
const WAITING: usize = 1024;

/// What something happened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A container.
    Container,
    /// An image.
    Image,
    /// A volume.
    Volume,
    /// A network.
    Network,
}

impl Kind {
    /// dockerd's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Image => "image",
            Self::Volume => "volume",
            Self::Network => "network",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What it happened to.
    pub kind: Kind,
    /// dockerd's word for it: "create", "start", "exec_create: sh".
    pub action: String,
    /// Id of what it happened to; empty for a prune.
    pub id: String,
    /// Name, image, labels, exit code and the like, under dockerd's names.
    pub attributes: BTreeMap<String, String>,
    /// When, in nanoseconds since 1970.
    pub at: i64,
}

impl Event {
    /// An event of this moment.
    #[must_use]
    pub fn new(kind: Kind, action: impl Into<String>, id: impl Into<String>) -> Self {
        let (action, id, at) = (action.into(), id.into(), clock::now_nanos());
        Self { kind, action, id, attributes: BTreeMap::new(), at }
    }

    /// With one more attribute.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.attributes.insert(name.into(), value.to_string());
        self
    }
}

/// Where events are published; clones share it.
#[derive(Debug, Clone)]
pub struct Events(Arc<Mutex<Bus>>);

#[derive(Debug)]
struct Bus {
    kept: Kept,
    watchers: broadcast::Sender<Arc<Event>>,
}

impl Default for Events {
    fn default() -> Self {
        Self::new(Kept::default())
    }
}

impl Events {
    /// With what an earlier agent kept in a file, where they are kept from now on.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self::new(Kept::open(path)?))
    }

    fn new(kept: Kept) -> Self {
        let (watchers, _) = broadcast::channel(WAITING);
        Self(Arc::new(Mutex::new(Bus { kept, watchers })))
    }

    /// Tells everybody who watches, and keeps the event for those who come late.
    pub fn publish(&self, event: Event) {
        let event = Arc::new(event);
        let mut bus = self.bus();
        bus.kept.push(Arc::clone(&event));
        // Nobody watches: that is no failure.
        let _ = bus.watchers.send(event);
    }

    fn bus(&self) -> MutexGuard<'_, Bus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
