//! What the guest has open.

use std::{collections::HashMap, sync::Arc};

use crate::{
    errno::Errno,
    host::{Entry, Folder},
};

/// An open file and the node that it is.
#[derive(Debug)]
pub struct OpenedFile<F: Folder> {
    /// The node.
    pub node: u64,
    /// The file.
    pub file: F::File,
}

#[derive(Debug)]
enum Handle<F: Folder> {
    File(Arc<OpenedFile<F>>),
    /// A listing, as it was when it was begun.
    Listing(Option<Arc<Vec<Entry>>>),
}

/// The handles.
#[derive(Debug)]
pub struct Handles<F: Folder> {
    open: HashMap<u64, Handle<F>>,
    next: u64,
}

impl<F: Folder> Default for Handles<F> {
    fn default() -> Self {
        Self { open: HashMap::new(), next: 1 }
    }
}

impl<F: Folder> Handles<F> {
    fn add(&mut self, handle: Handle<F>) -> u64 {
        let number = self.next;
        self.next += 1;
        self.open.insert(number, handle);
        number
    }

    /// A file is open.
    pub fn add_file(&mut self, node: u64, file: F::File) -> u64 {
        self.add(Handle::File(Arc::new(OpenedFile { node, file })))
    }

    /// A folder is to be listed.
    pub fn add_listing(&mut self) -> u64 {
        self.add(Handle::Listing(None))
    }

    /// The file of a handle.
    ///
    /// # Errors
    /// `BADF` if it is no file's.
    pub fn file(&self, handle: u64) -> Result<Arc<OpenedFile<F>>, Errno> {
        match self.open.get(&handle) {
            Some(Handle::File(file)) => Ok(Arc::clone(file)),
            _ => Err(Errno::BADF),
        }
    }

    /// An open file of a node: one that has no name any more is reached by it alone.
    #[must_use]
    pub fn of_node(&self, node: u64) -> Option<Arc<OpenedFile<F>>> {
        self.open.values().find_map(|handle| match handle {
            Handle::File(file) if file.node == node => Some(Arc::clone(file)),
            _ => None,
        })
    }

    /// The listing of a handle; nothing before it was begun.
    ///
    /// # Errors
    /// `BADF` if it is no folder's.
    pub fn listing(&self, handle: u64) -> Result<Option<Arc<Vec<Entry>>>, Errno> {
        match self.open.get(&handle) {
            Some(Handle::Listing(entries)) => Ok(entries.clone()),
            _ => Err(Errno::BADF),
        }
    }

    /// Keeps a listing for its next part.
    pub fn keep_listing(&mut self, handle: u64, entries: Arc<Vec<Entry>>) {
        if let Some(Handle::Listing(kept)) = self.open.get_mut(&handle) {
            *kept = Some(entries);
        }
    }

    /// The guest closes it.
    pub fn close(&mut self, handle: u64) {
        self.open.remove(&handle);
    }
}
