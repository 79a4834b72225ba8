//! What containers wrote to their standard streams: files of one container, which are also the buffer of attach.
//!
//! The writer ([`Log`]) appends what it reads from the container's pipes and tells the readers how far the log goes. A
//! reader ([`Reader`]) has its own position, so a slow client delays nobody and loses nothing, and attach and logs see the
//! same bytes in the same order. [`pump`] carries bytes from pipe to log; [`Tail`](tail) finds where the last lines begin;
//! [`lines`] cuts chunks into entries.
//!
//! The log is a sequence of records ([`record`]): chunks as read, and one mark at the end of each run of the container,
//! by which followers know when to stop. It is not synced: after a power cut the records that are whole are kept.
//!
//! A log with a limit ([`options`]) is rotated: the file that is written to is put beside the older ones ([`segment`]), and
//! the oldest of them goes. An offset in the log stays what it was ([`extents`]). Records that no file takes (the disk is
//! full, the driver is "none") lie in memory until those who are attached have read them, and a container that writes
//! faster than they read has to wait, as it has when a file that they need would go. Without them nobody waits.

pub mod attributes;
mod extents;
mod follow;
pub mod lines;
pub mod options;
pub mod pump;
mod record;
mod segment;
mod tail;
#[cfg(test)]
mod tests;
mod write;

pub use self::{
    follow::{Attached, Reader, Stop},
    options::Keeping,
    record::{Entry, Mark, Stream},
    tail::{Start, start_of},
    write::Log,
};

use std::{io, path::PathBuf};

/// Why a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file cannot be opened or made.
    #[error("cannot open the log {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write the log")]
    Write(#[source] io::Error),
    /// The file cannot be read.
    #[error("cannot read the log")]
    Read(#[source] io::Error),
    /// A record is not what the writer wrote.
    #[error("the log is damaged at offset {offset}")]
    Damaged {
        /// Where.
        offset: u64,
    },
    /// The agent is going down.
    #[error("the agent is shutting down")]
    Shutdown,
}
