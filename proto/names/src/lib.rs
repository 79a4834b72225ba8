//! How images are named, as both halves read it.
//!
//! * [`Reference`] — `[host[:port]/]path[:tag][@digest]`.
//! * [`Digest`] — what names content by its hash.

mod digest;
mod reference;

pub use digest::{Digest, DigestError};
pub use reference::{HUB, Reference, ReferenceError, is_full_hex_id};
