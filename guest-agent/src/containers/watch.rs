//! Watching the list of containers.
//!
//! The engine counts changes; who watches lists anew when the count has grown. Changes that come while a list is made or
//! sent become one more list, so that a slow watcher costs no memory.

use cove_proto::v1::Container;
use futures::{Stream, stream};

use super::{Containers, ContainersError, list::Wanted};

/// The list after a change.
#[derive(Debug)]
pub struct Change {
    /// The newest first.
    pub containers: Vec<Container>,
    /// The count of changes that the list holds; one that comes meanwhile may be in it already, and then comes again.
    pub revision: u64,
}

impl Containers {
    /// The present list, unless the client has it, and then the list after each change.
    pub fn watch(&self, all: bool, after_revision: u64) -> impl Stream<Item = Result<Change, ContainersError>> + use<> {
        let seen = self.0.changes.subscribe();
        // A revision that we have not come to is one of an earlier agent, and says nothing about what the client knows.
        let known = if after_revision <= *seen.borrow() { after_revision } else { 0 };
        stream::unfold((self.clone(), seen, known), move |(this, mut seen, known)| async move {
            let revision = *seen.wait_for(|revision| *revision > known).await.ok()?;
            let list = this.list(Wanted { all, ..Wanted::default() }).await;
            Some((list.map(|containers| Change { containers, revision }), (this, seen, revision)))
        })
    }
}
