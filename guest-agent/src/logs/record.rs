//! The records of a log file.
//!
//! ```text
//! header   magic "cv"  kind u8  flags u8  length u32  time i64 (nanoseconds since 1970), little-endian, 16 bytes
//! payload  length bytes
//! trailer  length u32, so that a reader can walk backwards
//! ```

use std::io;

use super::segment::Source;

/// Bytes of a header.
pub(super) const HEADER: usize = 16;
/// Bytes of a trailer.
pub(super) const TRAILER: usize = 4;
/// The longest payload: what one read from a pipe may bring. A message of gRPC carries it with room to spare.
pub(super) const MAX_PAYLOAD: usize = 256 * 1024;

const MAGIC: [u8; 2] = *b"cv";
const CONTINUES: u8 = 1;

/// A standard stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output, and all output of a terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Bytes of a stream.
    Chunk {
        /// Which.
        stream: Stream,
        /// Whether the stream's bytes before it did not end a line.
        continues: bool,
    },
    /// The end of a run.
    RunEnd,
}

/// A record, with what it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it begins.
    pub offset: u64,
    /// When it was written: nanoseconds since 1970.
    pub time: i64,
    /// What it is.
    pub mark: Mark,
    /// The bytes; empty for [`Mark::RunEnd`].
    pub data: bytes::Bytes,
}

/// A header, parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) mark: Mark,
    pub(super) time: i64,
    pub(super) length: u32,
}

impl Header {
    /// Bytes of the whole record.
    pub(super) fn record_bytes(&self) -> u64 {
        (HEADER + TRAILER) as u64 + u64::from(self.length)
    }

    pub(super) fn encode(&self) -> [u8; HEADER] {
        let (kind, flags) = match self.mark {
            Mark::RunEnd => (0, 0),
            Mark::Chunk { stream, continues } => {
                (if stream == Stream::Stdout { 1 } else { 2 }, if continues { CONTINUES } else { 0 })
            }
        };
        let mut bytes = [0; HEADER];
        bytes[..2].copy_from_slice(&MAGIC);
        bytes[2] = kind;
        bytes[3] = flags;
        bytes[4..8].copy_from_slice(&self.length.to_le_bytes());
        bytes[8..].copy_from_slice(&self.time.to_le_bytes());
        bytes
    }

    /// `None` if this is no header.
    pub(super) fn decode(bytes: &[u8; HEADER]) -> Option<Self> {
        let [m0, m1, kind, flags, l0, l1, l2, l3, time @ ..] = *bytes;
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        let continues = flags == CONTINUES;
        let mark = match kind {
            0 if length == 0 => Mark::RunEnd,
            1 => Mark::Chunk { stream: Stream::Stdout, continues },
            2 => Mark::Chunk { stream: Stream::Stderr, continues },
            _ => return None,
        };
        let whole = [m0, m1] == MAGIC && flags <= CONTINUES && length as usize <= MAX_PAYLOAD;
        whole.then(|| Self { mark, time: i64::from_le_bytes(time), length })
    }
}

/// The header at `offset`, if a whole record lies there within `end`.
pub(super) fn header_at(file: &Source, offset: u64, end: u64) -> io::Result<Option<Header>> {
    if offset + (HEADER + TRAILER) as u64 > end {
        return Ok(None);
    }
    let mut bytes = [0; HEADER];
    file.read_exact_at(&mut bytes, offset)?;
    let Some(header) = Header::decode(&bytes) else { return Ok(None) };
    if offset + header.record_bytes() > end {
        return Ok(None);
    }
    let mut trailer = [0; TRAILER];
    file.read_exact_at(&mut trailer, offset + header.record_bytes() - TRAILER as u64)?;
    Ok((u32::from_le_bytes(trailer) == header.length).then_some(header))
}

/// The record that ends at `end`: where it begins, and its header.
pub(super) fn header_before(file: &Source, end: u64) -> io::Result<Option<(u64, Header)>> {
    if end < (HEADER + TRAILER) as u64 {
        return Ok(None);
    }
    let mut trailer = [0; TRAILER];
    file.read_exact_at(&mut trailer, end - TRAILER as u64)?;
    let bytes = (HEADER + TRAILER) as u64 + u64::from(u32::from_le_bytes(trailer));
    let Some(offset) = end.checked_sub(bytes) else { return Ok(None) };
    Ok(header_at(file, offset, end)?.filter(|header| header.record_bytes() == bytes).map(|header| (offset, header)))
}
