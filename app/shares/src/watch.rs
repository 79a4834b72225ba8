//! What happens on the host to what the guest knows, seen by whoever watches folders there.

use std::sync::Arc;

/// What happened to a name in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// It came, or came from elsewhere by a move with this number; 0 for none.
    Came(u32),
    /// It went, or went elsewhere by a move.
    Went(u32),
    /// It has other contents.
    Changed,
    /// It has other attributes.
    Attributes,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Event {
    /// The folder's node.
    pub folder: u64,
    /// The name in it.
    pub name: Vec<u8>,
    /// What.
    pub what: What,
    /// Whether it is a folder.
    pub is_folder: bool,
}

/// What a watcher says.
#[derive(Debug, PartialEq, Eq)]
pub enum Word {
    /// These, in their order.
    Happened(Vec<Event>),
    /// More than could be told.
    TooMuch,
}

/// Watches folders.
pub trait Watcher<F>: std::fmt::Debug + Send + Sync {
    /// Watches a folder from now on; one that cannot be is not.
    fn watch(&self, node: u64, folder: &F);
    /// Whether it is watched.
    fn watches(&self, node: u64) -> bool;
    /// Watches it no more.
    fn forget(&self, node: u64);
}

/// A watcher, where the system has one.
pub type Watching<F> = Option<Arc<dyn Watcher<F>>>;

/// A change of the host, for the guest to do again so that whoever watches there hears of it. The server answers as if it
/// were done, and does nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// Make something of this mode at a path from the top.
    Make {
        /// The path.
        path: Vec<u8>,
        /// Kind and permissions.
        mode: u32,
        /// Where it was moved to since: folder and name.
        now_at: Option<(u64, Vec<u8>)>,
    },
    /// Remove it.
    Remove {
        /// The path.
        path: Vec<u8>,
        /// Whether it is a folder.
        is_folder: bool,
    },
    /// Move it.
    Move {
        /// From where.
        from: Vec<u8>,
        /// Where to.
        to: Vec<u8>,
    },
    /// Set its time: its contents are others.
    Touch(Vec<u8>),
    /// Set both its times: its attributes are others.
    TouchAttributes(Vec<u8>),
}

/// What the guest is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A message for its kernel.
    Message(Vec<u8>),
    /// Something to do again.
    Replay(Replay),
}
