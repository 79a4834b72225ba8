//! The writing side of a log.

use std::{
    fs::{File, OpenOptions},
    io::{self, IoSlice, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::sync::watch;

use super::{
    Keeping, LogError,
    extents::{Extent, Extents, Position},
    record::{self, Header, MAX_PAYLOAD, Mark, Stream},
    segment::{Rotated, Segment, Source, rotated},
};

/// A container's log; clones share it.
#[derive(Debug, Clone)]
pub struct Log(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    keeping: Keeping,
    /// Held while the disk is written.
    writer: Mutex<Writer>,
    /// Never held while the disk is waited for.
    extents: Mutex<Extents>,
    reach: watch::Sender<Reach>,
    full: watch::Sender<bool>,
    /// Whether the run is over and what is left of its output is being read.
    ending: AtomicBool,
    packing: AtomicBool,
}

/// How far the log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reach {
    /// Where the next record will begin.
    pub(super) end: u64,
    /// Whether no record will follow.
    pub(super) closed: bool,
    /// Whether a run has begun whose end is not marked yet.
    pub(super) in_run: bool,
}

#[derive(Debug)]
struct Writer {
    /// Per stream: whether its last byte was not a line feed.
    within_line: [bool; 2],
    current: Option<Current>,
    /// Of the next file that is rotated away.
    number: u64,
    /// Whether it was said that output is lost.
    complained: bool,
}

/// The file that is written to.
#[derive(Debug)]
struct Current {
    segment: Arc<Segment>,
    bytes: u64,
    /// Opened with the first record: a container that never writes costs no descriptor.
    file: Option<Arc<File>>,
}

impl Log {
    /// Opens the log at `path`, where there may be none yet. What a power cut left of a last record is cut off.
    ///
    /// # Errors
    /// If the file is there and cannot be used.
    pub fn open(path: &Path, keeping: Keeping) -> Result<Self, LogError> {
        let mut extents = Extents::new(keeping.most_files);
        let mut writer = Writer { within_line: [false; 2], current: None, number: 0, complained: false };
        if keeping.on_disk {
            open_files(path, &mut extents, &mut writer).map_err(|source| open_error(path, source))?;
            writer.within_line = within_line(&extents.all()).map_err(LogError::Read)?;
        }
        let reach = watch::Sender::new(Reach { end: extents.end, closed: false, in_run: false });
        let log = Self(Arc::new(Shared {
            path: path.to_owned(),
            keeping,
            writer: Mutex::new(writer),
            extents: Mutex::new(extents),
            reach,
            full: watch::Sender::new(false),
            ending: AtomicBool::new(false),
            packing: AtomicBool::new(false),
        }));
        log.shed();
        Ok(log)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Where the next record will begin.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.0.reach.borrow().end
    }

    /// Where the next record will begin, and whether a run has begun whose end is not marked yet.
    #[must_use]
    pub fn position(&self) -> (u64, bool) {
        let reach = self.0.reach.borrow();
        (reach.end, reach.in_run)
    }

    /// A run begins.
    pub fn begin_run(&self) {
        self.0.ending.store(false, Ordering::SeqCst);
        self.0.reach.send_modify(|reach| {
            reach.in_run = true;
            reach.closed = false;
        });
    }

    /// The program has ended: what its pipes still hold, which is little, waits for nobody.
    pub fn ending(&self) {
        self.0.ending.store(true, Ordering::SeqCst);
        self.shed();
    }

    /// Tells the readers that nothing will follow: the container is removed, or the end of a run cannot be marked. A new
    /// run opens it again.
    pub fn close(&self) {
        self.0.reach.send_modify(|reach| {
            reach.in_run = false;
            reach.closed = true;
        });
    }

    /// Whether those who are attached have to read before more is written.
    #[must_use]
    pub fn full(&self) -> watch::Receiver<bool> {
        self.0.full.subscribe()
    }

    pub(super) fn reach(&self) -> watch::Receiver<Reach> {
        self.0.reach.subscribe()
    }

    pub(super) fn extents(&self) -> MutexGuard<'_, Extents> {
        self.0.extents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn attach(&self) -> Arc<Position> {
        self.extents().attach()
    }

    /// Lets go of what nobody has to read any more.
    pub(super) fn shed(&self) {
        let (removed, full) = {
            let mut extents = self.extents();
            (extents.shed(), extents.is_full() && !self.0.ending.load(Ordering::SeqCst))
        };
        for segment in removed {
            if let Err(error) = segment.remove() {
                tracing::warn!(log = %self.0.path.display(), %error, "a rotated log stays behind");
            }
        }
        self.0.full.send_if_modified(|now| std::mem::replace(now, full) != full);
    }

    /// Appends what a stream brought. Blocks on the disk.
    ///
    /// # Errors
    /// If the file cannot be written, when that has not been said yet; what was appended in part is taken away again. Those
    /// who are attached get it all the same.
    pub fn append(&self, stream: Stream, data: &[u8], time: i64) -> Result<(), LogError> {
        let mut failed = Ok(());
        for part in data.chunks(self.0.keeping.record_bytes(MAX_PAYLOAD)) {
            let mut writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
            let slot = stream as usize;
            let mark = Mark::Chunk { stream, continues: writer.within_line[slot] };
            let put = self.put(&mut writer, mark, part, time);
            writer.within_line[slot] = part.last() != Some(&b'\n');
            let said = std::mem::replace(&mut writer.complained, put.is_err());
            if !said && failed.is_ok() {
                failed = put;
            }
        }
        failed
    }

    /// Marks the end of a run. Blocks on the disk.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn end_run(&self, time: i64) -> Result<(), LogError> {
        let mut writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // The next run begins a line, whatever this one left unfinished.
        writer.within_line = [false; 2];
        self.put(&mut writer, Mark::RunEnd, &[], time)
    }

    fn put(&self, writer: &mut Writer, mark: Mark, data: &[u8], time: i64) -> Result<(), LogError> {
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let header = Header { mark, time, length };
        let (head, trailer) = (header.encode(), length.to_le_bytes());
        let parts = [&head[..], data, &trailer[..]];
        let written =
            if self.0.keeping.on_disk { self.write(writer, &parts, header.record_bytes()).map(Some) } else { Ok(None) };
        let end = {
            let mut extents = self.extents();
            match &written {
                Ok(Some((segment, at))) => extents.add_file(segment, *at, header.record_bytes()),
                Ok(None) | Err(_) => extents.add_memory(|| joined(&parts)),
            }
            extents.end
        };
        self.0.reach.send_modify(|reach| {
            reach.end = end;
            reach.in_run &= mark != Mark::RunEnd;
        });
        self.shed();
        written.map(drop)
    }

    /// Writes a record to the file, another one if this is full.
    fn write(&self, writer: &mut Writer, parts: &[&[u8]], bytes: u64) -> Result<(Arc<Segment>, u64), LogError> {
        if let (Some(most), Some(current)) = (self.0.keeping.most_bytes, &writer.current)
            && current.bytes > 0
            && current.bytes + bytes > most
        {
            self.rotate(writer).map_err(LogError::Write)?;
        }
        let path = &self.0.path;
        let current = writer.current.get_or_insert_with(|| Current {
            segment: Segment::new(path.clone(), false),
            bytes: 0,
            file: None,
        });
        let file = match &current.file {
            Some(file) => Arc::clone(file),
            None => {
                let opened = OpenOptions::new().read(true).append(true).create(true).mode(0o640).open(path);
                let file = Arc::new(opened.map_err(|source| open_error(path, source))?);
                current.segment.opened(&file);
                Arc::clone(current.file.insert(file))
            }
        };
        let slices = &mut parts.iter().map(|part| IoSlice::new(part)).collect::<Vec<_>>();
        if let Err(error) = write_all(&mut &*file, slices) {
            // The disk is full, say: the file must go on ending with a whole record.
            file.set_len(current.bytes).map_err(LogError::Write)?;
            return Err(LogError::Write(error));
        }
        let at = current.bytes;
        current.bytes += bytes;
        Ok((Arc::clone(&current.segment), at))
    }

    /// Puts the file that is written to beside the older ones, the oldest of which goes.
    fn rotate(&self, writer: &mut Writer) -> io::Result<()> {
        let Some(Current { segment, bytes, .. }) = &writer.current else { return Ok(()) };
        segment.rename(Rotated { number: writer.number, bytes: *bytes, packed: false }.path(&self.0.path))?;
        writer.number += 1;
        if let Some(current) = writer.current.take() {
            self.extents().rotate(current.segment);
        }
        self.shed();
        if self.0.keeping.packed && !self.0.packing.swap(true, Ordering::SeqCst) {
            let log = self.clone();
            std::thread::Builder::new().name("pack-log".to_owned()).spawn(move || log.pack())?;
        }
        Ok(())
    }

    /// Compresses what was rotated away, until nothing is left to compress.
    pub(super) fn pack(&self) {
        loop {
            while let Some(segment) = { self.extents().plain() } {
                if let Err(error) = segment.pack() {
                    tracing::warn!(log = %self.0.path.display(), %error, "a rotated log cannot be compressed");
                    // Tried again after the next rotation.
                    self.0.packing.store(false, Ordering::SeqCst);
                    return;
                }
            }
            self.0.packing.store(false, Ordering::SeqCst);
            // A rotation may have come between the look and the word.
            if self.extents().plain().is_none() || self.0.packing.swap(true, Ordering::SeqCst) {
                return;
            }
        }
    }
}

fn open_error(path: &Path, source: io::Error) -> LogError {
    LogError::Open { path: path.to_owned(), source }
}

fn joined(parts: &[&[u8]]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(parts.iter().map(|part| part.len()).sum());
    parts.iter().for_each(|part| bytes.put_slice(part));
    bytes.freeze()
}

fn write_all(file: &mut &File, mut parts: &mut [IoSlice<'_>]) -> io::Result<()> {
    while parts.iter().any(|part| !part.is_empty()) {
        match file.write_vectored(parts) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut parts, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Finds the files of a log.
fn open_files(path: &Path, extents: &mut Extents, writer: &mut Writer) -> io::Result<()> {
    for mut file in rotated(path)? {
        if !file.packed {
            mend(&mut file, path)?;
        }
        let segment = Segment::new(file.path(path), file.packed);
        extents.add_file(&segment, 0, file.bytes);
        extents.rotate(segment);
        writer.number = file.number + 1;
    }
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => {
            let bytes = repair(Arc::new(file))?;
            let segment = Segment::new(path.to_owned(), false);
            extents.add_file(&segment, 0, bytes);
            writer.current = Some(Current { segment, bytes, file: None });
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Cuts what a power cut left of a rotated file, and says its new length in its name.
fn mend(rotated: &mut Rotated, log: &Path) -> io::Result<()> {
    let named = rotated.path(log);
    let bytes = repair(Arc::new(OpenOptions::new().read(true).write(true).open(&named)?))?;
    if bytes != rotated.bytes {
        rotated.bytes = bytes;
        std::fs::rename(named, rotated.path(log))?;
    }
    Ok(())
}

/// Cuts the file where its whole records end, and says where that is.
fn repair(file: Arc<File>) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let source = Source::File(Arc::clone(&file));
    if length == 0 || record::header_before(&source, length)?.is_some() {
        return Ok(length);
    }
    let mut end = 0;
    while let Some(header) = record::header_at(&source, end, length)? {
        end += header.record_bytes();
    }
    file.set_len(end)?;
    Ok(end)
}

/// Whether each stream's last bytes are the beginning of a line, for an agent that takes over a running container. Looks
/// back no further than a few thousand records of the newest file: a stream that was silent for longer is taken to begin a
/// line.
fn within_line(extents: &[Extent]) -> io::Result<[bool; 2]> {
    let mut found = [None; 2];
    let Some(newest) = extents.last() else { return Ok([false; 2]) };
    let Some((source, from)) = newest.open()? else { return Ok([false; 2]) };
    let mut at = from + (newest.end - newest.start);
    for _ in 0..4096 {
        let Some((offset, header)) = record::header_before(&source, at)? else { break };
        let Mark::Chunk { stream, .. } = header.mark else { break };
        if found[stream as usize].is_none() && header.length > 0 {
            let mut last = [0];
            source.read_exact_at(&mut last, at - record::TRAILER as u64 - 1)?;
            found[stream as usize] = Some(last != *b"\n");
        }
        if found.iter().all(Option::is_some) {
            break;
        }
        at = offset;
    }
    Ok(found.map(|within| within.unwrap_or(false)))
}
