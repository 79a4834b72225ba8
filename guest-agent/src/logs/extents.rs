//! Where the records of a log lie, by their offset in the log: in files, the oldest of which go with rotation, and, of what
//! could not be written, in memory for as long as somebody who is attached has not read it.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;

use super::segment::{Segment, Source};

/// What is kept in memory for those who are attached, of one container, before it has to wait for them: as dockerd.
pub(super) const MEMORY_BYTES: usize = 1024 * 1024;

/// Records that lie side by side.
#[derive(Debug, Clone)]
pub(super) struct Extent {
    /// Offset of the first one in the log.
    pub(super) start: u64,
    /// Where the next one would begin.
    pub(super) end: u64,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    File { segment: Arc<Segment>, at: u64 },
    Memory(Bytes),
}

impl Extent {
    /// The bytes, and where in them the first record is; `None` when they are removed. Blocks on the disk.
    pub(super) fn open(&self) -> std::io::Result<Option<(Source, u64)>> {
        Ok(match &self.place {
            Place::File { segment, at } => segment.open()?.map(|file| (Source::File(file), *at)),
            Place::Memory(bytes) => Some((Source::Memory(bytes.clone()), 0)),
        })
    }

    fn is_in_memory(&self) -> bool {
        matches!(self.place, Place::Memory(_))
    }

    fn is_in(&self, of: &Arc<Segment>) -> bool {
        matches!(&self.place, Place::File { segment, .. } if Arc::ptr_eq(segment, of))
    }
}

/// A reader that must not miss anything: it is attached.
#[derive(Debug)]
pub(super) struct Position(pub(super) AtomicU64);

/// Where the records of a log lie.
#[derive(Debug)]
pub(super) struct Extents {
    list: VecDeque<Extent>,
    pub(super) end: u64,
    /// Files that are not written to any more, the oldest first.
    rotated: VecDeque<Arc<Segment>>,
    most_rotated: usize,
    attached: Vec<Weak<Position>>,
    memory_bytes: usize,
}

impl Extents {
    /// None yet; of a log that keeps so many files, the one that is written to among them.
    pub(super) fn new(most_files: usize) -> Self {
        Self {
            list: VecDeque::new(),
            end: 0,
            rotated: VecDeque::new(),
            most_rotated: most_files.saturating_sub(1),
            attached: Vec::new(),
            memory_bytes: 0,
        }
    }

    /// Adds records that lie in a file.
    pub(super) fn add_file(&mut self, segment: &Arc<Segment>, at: u64, bytes: u64) {
        let start = self.end;
        self.end += bytes;
        if let Some(last) = self.list.back_mut()
            && last.end == start
            && let Place::File { segment: of, at: from } = &last.place
            && Arc::ptr_eq(of, segment)
            && from + (last.end - last.start) == at
        {
            last.end = self.end;
        } else if bytes > 0 {
            let place = Place::File { segment: Arc::clone(segment), at };
            self.list.push_back(Extent { start, end: self.end, place });
        }
    }

    /// Adds a record that lies in no file, for those who are attached; without them it is lost.
    pub(super) fn add_memory(&mut self, record: impl FnOnce() -> Bytes) {
        if self.oldest_reader().is_none() {
            return;
        }
        let record = record();
        let start = self.end;
        self.end += record.len() as u64;
        self.memory_bytes += record.len();
        self.list.push_back(Extent { start, end: self.end, place: Place::Memory(record) });
    }

    /// A file is no longer written to.
    pub(super) fn rotate(&mut self, segment: Arc<Segment>) {
        self.rotated.push_back(segment);
    }

    /// The records at or behind an offset.
    pub(super) fn find(&self, offset: u64) -> Option<Extent> {
        self.list.get(self.list.partition_point(|extent| extent.end <= offset)).cloned()
    }

    /// All records.
    pub(super) fn all(&self) -> Vec<Extent> {
        self.list.iter().cloned().collect()
    }

    /// Rotated files that are not compressed, the newest first: the oldest go first.
    pub(super) fn plain(&self) -> Option<Arc<Segment>> {
        self.rotated.iter().rev().find(|segment| segment.is_plain()).cloned()
    }

    /// Somebody attaches who is to miss nothing from here on.
    pub(super) fn attach(&mut self) -> Arc<Position> {
        let position = Arc::new(Position(AtomicU64::new(self.end)));
        self.attached.push(Arc::downgrade(&position));
        position
    }

    /// Where the slowest of those who are attached is.
    fn oldest_reader(&mut self) -> Option<u64> {
        self.attached.retain(|position| position.strong_count() > 0);
        self.attached.iter().filter_map(Weak::upgrade).map(|position| position.0.load(Ordering::SeqCst)).min()
    }

    /// Lets go of what nobody has to read any more; gives the files back that are to be removed.
    pub(super) fn shed(&mut self) -> Vec<Arc<Segment>> {
        let needed = self.oldest_reader().unwrap_or(u64::MAX);
        if self.list.iter().find(|extent| extent.is_in_memory()).is_some_and(|first| first.end <= needed) {
            self.list.retain(|extent| !extent.is_in_memory() || extent.end > needed);
            let in_memory = self.list.iter().filter(|extent| extent.is_in_memory());
            self.memory_bytes = in_memory.map(|extent| usize::try_from(extent.end - extent.start).unwrap_or(0)).sum();
        }
        let mut removed = Vec::new();
        while self.rotated.len() > self.most_rotated
            && let Some(oldest) = self.rotated.front()
            && !self.list.iter().any(|extent| extent.is_in(oldest) && extent.end > needed)
        {
            self.list.retain(|extent| !extent.is_in(oldest));
            removed.extend(self.rotated.pop_front());
        }
        removed
    }

    /// Whether those who are attached have to read before more is written.
    pub(super) fn is_full(&self) -> bool {
        self.memory_bytes > MEMORY_BYTES || self.rotated.len() > self.most_rotated
    }
}
