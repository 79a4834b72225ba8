//! The FUSE protocol, as fuse.h of Linux has it: little-endian, as every guest is.
//!
//! * [`fields`] — numbers and names out of bytes.
//! * [`message`] — a message: its header and what it asks for.
//! * [`operation`] — the operations, taken apart.
//! * [`answer`] — answers and notices.
//! * [`listing`] — the entries of a folder.

pub mod answer;
pub mod fields;
pub mod listing;
pub mod message;
pub mod operation;

/// The protocol's major version.
pub const MAJOR: u32 = 7;
/// The newest minor version that is spoken here; the guest's kernel speaks the lower of the two.
pub const MINOR: u32 = 38;
/// The oldest that is understood: Linux 5.2.
pub const OLDEST_MINOR: u32 = 31;

/// The largest write of a guest, and the largest read.
pub const MAX_TRANSFER_BYTES: u32 = 1 << 20;
/// The largest message: a write and its headers, with room.
pub const MAX_MESSAGE_BYTES: usize = MAX_TRANSFER_BYTES as usize + 4096;

/// The longest name of a file.
pub const MAX_NAME_BYTES: usize = 255;
