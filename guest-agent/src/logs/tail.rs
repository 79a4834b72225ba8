//! Where to begin reading: the last lines, or the first record of a time. Walks the log backwards.

use super::{
    Log, LogError,
    lines::Skip,
    record::{self, HEADER, Mark},
    segment::Source,
};

/// Where to begin.
#[derive(Debug, Clone)]
pub struct Start {
    /// The offset of a record.
    pub offset: u64,
    /// What to drop from there on.
    pub skip: Skip,
}

/// Finds where the last `tail` lines before `end` begin (all lines if `None`), as dockerd does: counted over both streams.
/// What is older than `since` need not be read; records at or after it are never left out. Blocks on the disk.
///
/// # Errors
/// If the file cannot be read.
pub fn start_of(log: &Log, end: u64, tail: Option<u64>, since: Option<i64>) -> Result<Start, LogError> {
    let nothing = |offset| Start { offset, skip: Skip::nothing() };
    if tail == Some(0) || end == 0 {
        return Ok(nothing(end));
    }
    let all = Start { offset: 0, skip: Skip::rest_of_a_line() };
    if tail.is_none() && since.is_none() {
        return Ok(all);
    }
    let mut lines = 0;
    let extents = log.extents().all();
    for extent in extents.iter().rev().filter(|extent| extent.start < end) {
        // Rotated away meanwhile, and everything before it.
        let Some((source, from)) = extent.open().map_err(LogError::Read)? else { break };
        let offset_of = |at: u64| extent.start + (at - from);
        let mut at = from + (extent.end.min(end) - extent.start);
        while at > from {
            let before = record::header_before(&source, at).map_err(LogError::Read)?;
            let (place, header) = before.ok_or(LogError::Damaged { offset: offset_of(at) })?;
            if since.is_some_and(|since| header.time < since) {
                // Lines that began before are dropped by their time, or not at all.
                return Ok(nothing(offset_of(at)));
            }
            if let (Mark::Chunk { continues, .. }, Some(wanted)) = (header.mark, tail) {
                lines += line_starts(&source, place, header.length, continues)?;
                if lines >= wanted {
                    return Ok(Start { offset: offset_of(place), skip: Skip::lines(lines - wanted) });
                }
            }
            at = place;
        }
    }
    Ok(all)
}

/// How many lines begin in a chunk.
fn line_starts(source: &Source, offset: u64, length: u32, continues: bool) -> Result<u64, LogError> {
    let mut data = vec![0; length as usize];
    source.read_exact_at(&mut data, offset + HEADER as u64).map_err(LogError::Read)?;
    let Some((_, before)) = data.split_last() else { return Ok(0) };
    let pieces = 1 + before.iter().filter(|byte| **byte == b'\n').count() as u64;
    Ok(pieces - u64::from(continues))
}
