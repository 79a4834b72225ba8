//! The writing side of a log.

use std::{
    fs::{File, OpenOptions},
    io::{IoSlice, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use tokio::sync::watch;

use super::{
    LogError,
    record::{self, Header, MAX_PAYLOAD, Mark, Stream},
};

/// A container's log; clones share it.
#[derive(Debug, Clone)]
pub struct Log(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    writer: Mutex<Writer>,
    /// Opened with the first record: a container that never writes costs no file. Readers share it, so that they read to
    /// the end although the container, and the file with it, is removed meanwhile.
    file: OnceLock<Arc<File>>,
    extent: watch::Sender<Extent>,
}

/// How far the log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// Where the next record will begin.
    pub(super) end: u64,
    /// Whether no record will follow.
    pub(super) closed: bool,
    /// Whether a run has begun whose end is not marked yet.
    pub(super) in_run: bool,
}

#[derive(Debug)]
struct Writer {
    end: u64,
    /// Per stream: whether its last byte was not a line feed.
    within_line: [bool; 2],
}

impl Log {
    /// Opens the log at `path`, where there may be none yet. What a power cut left of a last record is cut off.
    ///
    /// # Errors
    /// If the file is there and cannot be used.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        let opened = OpenOptions::new().read(true).write(true).open(path);
        let mut writer = Writer { end: 0, within_line: [false; 2] };
        match opened {
            Ok(file) => {
                writer.end = repair(&file).map_err(|source| open_error(path, source))?;
                writer.within_line = within_line(&file, writer.end).map_err(LogError::Read)?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(open_error(path, source)),
        }
        let extent = watch::Sender::new(Extent { end: writer.end, closed: false, in_run: false });
        let shared = Shared { path: path.to_owned(), writer: Mutex::new(writer), file: OnceLock::new(), extent };
        Ok(Self(Arc::new(shared)))
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Where the next record will begin.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.0.extent.borrow().end
    }

    /// Where the next record will begin, and whether a run has begun whose end is not marked yet.
    #[must_use]
    pub fn position(&self) -> (u64, bool) {
        let extent = self.0.extent.borrow();
        (extent.end, extent.in_run)
    }

    /// A run begins.
    pub fn begin_run(&self) {
        self.0.extent.send_modify(|extent| {
            extent.in_run = true;
            extent.closed = false;
        });
    }

    pub(super) fn extent(&self) -> watch::Receiver<Extent> {
        self.0.extent.subscribe()
    }

    /// Appends what a stream brought. Blocks on the disk.
    ///
    /// # Errors
    /// If the file cannot be written; what was appended in part is taken away again.
    pub fn append(&self, stream: Stream, data: &[u8], time: i64) -> Result<(), LogError> {
        for part in data.chunks(MAX_PAYLOAD) {
            let mut writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
            let slot = stream as usize;
            let mark = Mark::Chunk { stream, continues: writer.within_line[slot] };
            self.put(&mut writer, mark, part, time)?;
            writer.within_line[slot] = part.last() != Some(&b'\n');
        }
        Ok(())
    }

    /// Marks the end of a run. Blocks on the disk.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn end_run(&self, time: i64) -> Result<(), LogError> {
        let mut writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.put(&mut writer, Mark::RunEnd, &[], time)?;
        // The next run begins a line, whatever this one left unfinished.
        writer.within_line = [false; 2];
        Ok(())
    }

    /// The file, for reading anywhere and appending. Blocks on the disk.
    pub(super) fn file(&self) -> Result<Arc<File>, LogError> {
        if let Some(file) = self.0.file.get() {
            return Ok(Arc::clone(file));
        }
        let path = &self.0.path;
        let opened = OpenOptions::new().read(true).append(true).create(true).mode(0o640).open(path);
        let file = Arc::new(opened.map_err(|source| open_error(path, source))?);
        Ok(Arc::clone(self.0.file.get_or_init(|| file)))
    }

    /// Tells the readers that nothing will follow: the container is removed, or the end of a run cannot be marked. A new
    /// run opens it again.
    pub fn close(&self) {
        self.0.extent.send_modify(|extent| {
            extent.in_run = false;
            extent.closed = true;
        });
    }

    fn put(&self, writer: &mut Writer, mark: Mark, data: &[u8], time: i64) -> Result<(), LogError> {
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let header = Header { mark, time, length };
        let file = self.file()?;
        let mut file = &*file;
        let (head, trailer) = (header.encode(), length.to_le_bytes());
        let parts = &mut [IoSlice::new(&head), IoSlice::new(data), IoSlice::new(&trailer)];
        if let Err(error) = write_all(&mut file, parts) {
            // The disk is full, say: the file must go on ending with a whole record.
            file.set_len(writer.end).map_err(LogError::Write)?;
            return Err(LogError::Write(error));
        }
        writer.end += header.record_bytes();
        let end = writer.end;
        self.0.extent.send_modify(|extent| {
            extent.end = end;
            extent.in_run &= mark != Mark::RunEnd;
        });
        Ok(())
    }
}

fn open_error(path: &Path, source: std::io::Error) -> LogError {
    LogError::Open { path: path.to_owned(), source }
}

fn write_all(file: &mut &File, mut parts: &mut [IoSlice<'_>]) -> std::io::Result<()> {
    while parts.iter().any(|part| !part.is_empty()) {
        match file.write_vectored(parts) {
            Ok(0) => return Err(std::io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut parts, written),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Cuts the file where its whole records end, and says where that is.
fn repair(file: &File) -> std::io::Result<u64> {
    let length = file.metadata()?.len();
    if length == 0 || record::header_before(file, length)?.is_some() {
        return Ok(length);
    }
    let mut end = 0;
    while let Some(header) = record::header_at(file, end, length)? {
        end += header.record_bytes();
    }
    file.set_len(end)?;
    Ok(end)
}

/// Whether each stream's last bytes are the beginning of a line, for an agent that takes over a running container. Looks
/// back no further than a few thousand records: a stream that was silent for longer is taken to begin a line.
fn within_line(file: &File, end: u64) -> std::io::Result<[bool; 2]> {
    use std::os::unix::fs::FileExt;
    let mut found = [None; 2];
    let mut at = end;
    for _ in 0..4096 {
        let Some((offset, header)) = record::header_before(file, at)? else { break };
        let Mark::Chunk { stream, .. } = header.mark else { break };
        if found[stream as usize].is_none() && header.length > 0 {
            let mut last = [0];
            file.read_exact_at(&mut last, at - record::TRAILER as u64 - 1)?;
            found[stream as usize] = Some(last != *b"\n");
        }
        if found.iter().all(Option::is_some) {
            break;
        }
        at = offset;
    }
    Ok(found.map(|within| within.unwrap_or(false)))
}
