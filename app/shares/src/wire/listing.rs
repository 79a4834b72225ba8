//! The entries of a folder, as READDIR and READDIRPLUS carry them: as many as fit.

use super::answer::Body;

/// An entry.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Its inode number, as `stat` says it.
    pub ino: u64,
    /// Where the next one begins.
    pub next: u64,
    /// The kind of file: `S_IFMT >> 12`.
    pub kind: u32,
    /// Its name.
    pub name: &'a [u8],
}

/// A listing under way.
#[derive(Debug)]
pub struct Listing {
    bytes: Vec<u8>,
    limit: usize,
}

impl Listing {
    /// An empty one, of at most so many bytes.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self { bytes: Vec::new(), limit: usize::try_from(limit).unwrap_or(0) }
    }

    /// Whether an entry with so long a name, and `fuse_entry_out` before it if `plus`, fits.
    #[must_use]
    pub fn fits(&self, name: &[u8], plus: bool) -> bool {
        const ENTRY_BYTES: usize = 24;
        const NODE_BYTES: usize = 128;
        let length = (ENTRY_BYTES + name.len()).next_multiple_of(8) + if plus { NODE_BYTES } else { 0 };
        self.bytes.len() + length <= self.limit
    }

    /// Appends an entry, behind its node if it has one.
    pub fn push(&mut self, node: Option<Body>, entry: Entry<'_>) {
        if let Some(node) = node {
            self.bytes.extend_from_slice(node.as_bytes());
        }
        let length = u32::try_from(entry.name.len()).unwrap_or(0);
        let body = Body::default().u64s(&[entry.ino, entry.next]).u32s(&[length, entry.kind]).bytes(entry.name);
        self.bytes.extend_from_slice(body.as_bytes());
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
    }

    /// Its bytes.
    #[must_use]
    pub fn into_body(self) -> Body {
        Body::of(self.bytes)
    }
}
