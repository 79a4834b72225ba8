//! Chunks as read from a pipe, cut into the entries that `logs` shows: lines, and parts of lines.

use bytes::Bytes;

use super::record::{Entry, Mark, Stream};

/// A line with its line feed, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Which stream it came on.
    pub stream: Stream,
    /// When: nanoseconds since 1970.
    pub time: i64,
    /// Whether it goes on the line of the stream's piece before it.
    pub continues: bool,
    /// The bytes.
    pub data: Bytes,
}

/// The pieces of a record; none of the end of a run.
pub fn pieces(entry: Entry) -> impl Iterator<Item = Piece> {
    let Entry { time, mark, mut data, .. } = entry;
    let chunk = match mark {
        Mark::Chunk { stream, continues } => Some((stream, continues)),
        Mark::RunEnd => None,
    };
    let mut first = true;
    std::iter::from_fn(move || {
        let (stream, continues) = chunk?;
        if data.is_empty() {
            return None;
        }
        let end = data.iter().position(|byte| *byte == b'\n').map_or(data.len(), |at| at + 1);
        let continues = std::mem::replace(&mut first, false) && continues;
        Some(Piece { stream, time, continues, data: data.split_to(end) })
    })
}

/// Drops what lies before the place where the last lines begin.
#[derive(Debug, Clone)]
pub struct Skip {
    lines: u64,
    began: [bool; 2],
    /// Whether a long line is shown although its beginning is gone.
    parts: bool,
}

impl Skip {
    /// Drops the first `lines` lines, and parts of lines that began before the first record.
    #[must_use]
    pub fn lines(lines: u64) -> Self {
        Self { lines, began: [false; 2], parts: false }
    }

    /// Drops nothing.
    #[must_use]
    pub fn nothing() -> Self {
        Self { lines: 0, began: [true; 2], parts: true }
    }

    /// Drops what is left of a line whose beginning was rotated away. A line so long that it goes on behind the first
    /// record is shown from there.
    #[must_use]
    pub fn rest_of_a_line() -> Self {
        Self { lines: 0, began: [false; 2], parts: true }
    }

    /// Whether this piece is to be shown. Every piece has to be asked about, in order.
    pub fn shows(&mut self, piece: &Piece) -> bool {
        let slot = piece.stream as usize;
        if !piece.continues {
            self.began[slot] = self.lines == 0;
            self.lines = self.lines.saturating_sub(1);
        } else if self.parts && !piece.data.ends_with(b"\n") {
            self.began[slot] = true;
        }
        self.began[slot]
    }
}
