//! The reading side of a log: forwards, from any record, to the end of what is there or of a run.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use tokio::sync::watch;

use super::{
    Log, LogError,
    extents::Position,
    record::{Entry, HEADER, Header, MAX_PAYLOAD, Mark, TRAILER},
    segment::Source,
    write::Reach,
};

/// One record of the longest kind always fits.
const BATCH: usize = MAX_PAYLOAD + HEADER + TRAILER;

/// Where a reader stops by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// At this offset, the end of what was there.
    At(u64),
    /// After the first end of a run that is marked at or after this offset.
    RunEndFrom(u64),
}

/// Reads a log. Ends early when the container is removed. What was rotated away before it was read is passed over, unless
/// somebody is attached by this reader.
#[derive(Debug)]
pub struct Reader {
    log: Log,
    at: u64,
    stop: Stop,
    reach: watch::Receiver<Reach>,
    stopped: bool,
    attached: Option<Attached>,
}

/// Keeps everything from the place where it was made on until it is read: on the disk, and in memory what the disk did not
/// take. The container waits when that becomes too much.
#[derive(Debug)]
pub struct Attached {
    log: Log,
    position: Arc<Position>,
}

impl Attached {
    /// Attaches to what is written from now on.
    #[must_use]
    pub fn new(log: &Log) -> Self {
        Self { log: log.clone(), position: log.attach() }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.position.0.store(u64::MAX, Ordering::SeqCst);
        self.log.shed();
    }
}

impl Reader {
    /// A reader of `log` from `start`, the offset of a record.
    #[must_use]
    pub fn new(log: &Log, start: u64, stop: Stop) -> Self {
        Self { log: log.clone(), at: start, stop, reach: log.reach(), stopped: false, attached: None }
    }

    /// Misses nothing that was written since.
    #[must_use]
    pub fn attached(self, attached: Attached) -> Self {
        Self { attached: Some(attached), ..self }
    }

    /// The next records, at least one; waits until there are some. `None` at the end. Nothing is lost if the future is
    /// dropped.
    ///
    /// # Errors
    /// If the file cannot be read, or is damaged.
    pub async fn next(&mut self) -> Result<Option<Vec<Entry>>, LogError> {
        loop {
            let Reach { end, closed, .. } = *self.reach.borrow_and_update();
            let end = match self.stop {
                Stop::At(stop) => end.min(stop),
                Stop::RunEndFrom(_) => end,
            };
            if self.stopped || (self.at >= end && (closed || matches!(self.stop, Stop::At(_)))) {
                return Ok(None);
            }
            if self.at < end {
                let entries = self.read(end).await?;
                if !entries.is_empty() {
                    return Ok(Some(entries));
                }
            } else if self.reach.changed().await.is_err() {
                return Ok(None);
            }
        }
    }

    async fn read(&mut self, end: u64) -> Result<Vec<Entry>, LogError> {
        let (log, at) = (self.log.clone(), self.at);
        let read = tokio::task::spawn_blocking(move || read_batch(&log, at, end));
        let (mut entries, next) = read.await.map_err(|_| LogError::Shutdown)??;
        self.at = next;
        if let Some(attached) = &self.attached {
            attached.position.0.store(next, Ordering::SeqCst);
            self.log.shed();
        }
        if let Stop::RunEndFrom(from) = self.stop
            && let Some(last) = entries.iter().position(|e| e.mark == Mark::RunEnd && e.offset >= from)
        {
            entries.truncate(last + 1);
            self.stopped = true;
        }
        Ok(entries)
    }
}

/// The whole records from `at` on, as many as fit in a batch and lie side by side, and where the next one begins. None, if
/// all that is left was rotated away.
fn read_batch(log: &Log, at: u64, end: u64) -> Result<(Vec<Entry>, u64), LogError> {
    let Some(extent) = log.extents().find(at).filter(|extent| extent.start < end) else {
        return Ok((Vec::new(), end));
    };
    let at = at.max(extent.start);
    let Some((source, from)) = extent.open().map_err(LogError::Read)? else { return Ok((Vec::new(), extent.end)) };
    let length = usize::try_from(extent.end.min(end) - at).unwrap_or(BATCH).min(BATCH);
    let bytes = bytes_of(&source, from + (at - extent.start), length).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => LogError::Damaged { offset: at },
        _ => LogError::Read(error),
    })?;
    entries_of(bytes, at)
}

fn bytes_of(source: &Source, at: u64, length: usize) -> io::Result<Bytes> {
    let mut buffer = vec![0; length];
    source.read_exact_at(&mut buffer, at)?;
    Ok(Bytes::from(buffer))
}

fn entries_of(mut rest: Bytes, at: u64) -> Result<(Vec<Entry>, u64), LogError> {
    let (mut entries, mut offset) = (Vec::new(), at);
    while let Some((header, record_bytes)) = header_of(&rest, offset)? {
        let mut record = rest.split_to(record_bytes);
        let data = record.split_off(HEADER).slice(..header.length as usize);
        entries.push(Entry { offset, time: header.time, mark: header.mark, data });
        offset += record_bytes as u64;
    }
    if entries.is_empty() { Err(LogError::Damaged { offset }) } else { Ok((entries, offset)) }
}

/// The header of the record at the front, unless the record goes on behind these bytes.
fn header_of(bytes: &Bytes, offset: u64) -> Result<Option<(Header, usize)>, LogError> {
    let Some(head) = bytes.first_chunk::<HEADER>() else { return Ok(None) };
    let header = Header::decode(head).ok_or(LogError::Damaged { offset })?;
    let record_bytes = HEADER + header.length as usize + TRAILER;
    Ok((bytes.len() >= record_bytes).then_some((header, record_bytes)))
}
