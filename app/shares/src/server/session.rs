//! How a session begins: what both sides can.

use crate::{
    errno::Errno,
    wire::{MAJOR, MINOR, OLDEST_MINOR, answer::Body},
};

/// What is done here, of what a kernel may offer.
const WANTED: u64 = ASYNC_READ
    | ATOMIC_TRUNCATE
    | BIG_WRITES
    | AUTO_INVALIDATE
    | LIST_WITH_NODES
    | LIST_WITH_NODES_AS_NEEDED
    | ASYNC_DIRECT
    | PARALLEL_FOLDERS
    | MAX_PAGES
    | CACHE_LINKS;

/// Several reads at once.
const ASYNC_READ: u64 = 1 << 0;
/// To open with O_TRUNC empties the file, which takes no message of its own.
const ATOMIC_TRUNCATE: u64 = 1 << 3;
/// Writes of more than a page.
const BIG_WRITES: u64 = 1 << 5;
/// Cached pages go when a file's time or size is not as it was.
const AUTO_INVALIDATE: u64 = 1 << 12;
/// READDIRPLUS.
const LIST_WITH_NODES: u64 = 1 << 13;
/// The kernel decides when.
const LIST_WITH_NODES_AS_NEEDED: u64 = 1 << 14;
/// Several direct reads and writes at once.
const ASYNC_DIRECT: u64 = 1 << 15;
/// Several look-ups in one folder at once.
const PARALLEL_FOLDERS: u64 = 1 << 18;
/// Transfers of more than 32 pages.
const MAX_PAGES: u64 = 1 << 22;
/// Where links lead may be remembered.
const CACHE_LINKS: u64 = 1 << 23;

/// Answers a kernel that begins.
pub(super) fn begin(major: u32, minor: u32, max_readahead: u32, offered: u64) -> Result<Body, Errno> {
    if major != MAJOR || minor < OLDEST_MINOR {
        return Err(Errno::OPNOTSUPP);
    }
    Ok(Body::default().init(minor.min(MINOR), max_readahead, offered & WANTED))
}
