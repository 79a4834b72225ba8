//! A file of a log: the one that is written to, or one that was rotated away and perhaps compressed.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use bytes::Bytes;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use rustix::fs::{Mode, OFlags};

/// Bytes that can be read at any place.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// Of a file.
    File(Arc<File>),
    /// That could not be written to one.
    Memory(Bytes),
}

impl Source {
    pub(super) fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        match self {
            Self::File(file) => file.read_exact_at(buffer, at),
            Self::Memory(bytes) => {
                let from = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                let part = bytes[from..].get(..buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
                buffer.copy_from_slice(part);
                Ok(())
            }
        }
    }
}

/// A file of a log.
#[derive(Debug)]
pub(super) struct Segment(Mutex<State>);

#[derive(Debug)]
struct State {
    path: PathBuf,
    packed: bool,
    removed: bool,
    /// Its bytes, unpacked, for as long as somebody reads them.
    open: Weak<File>,
}

impl Segment {
    pub(super) fn new(path: PathBuf, packed: bool) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { path, packed, removed: false, open: Weak::new() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its bytes; `None` when it is removed. Blocks on the disk.
    pub(super) fn open(&self) -> io::Result<Option<Arc<File>>> {
        let mut state = self.state();
        if let Some(file) = state.open.upgrade() {
            return Ok(Some(file));
        }
        if state.removed {
            return Ok(None);
        }
        let file = Arc::new(if state.packed { unpacked(&state.path)? } else { File::open(&state.path)? });
        state.open = Arc::downgrade(&file);
        Ok(Some(file))
    }

    /// Notes the descriptor by which it is written.
    pub(super) fn opened(&self, file: &Arc<File>) {
        self.state().open = Arc::downgrade(file);
    }

    pub(super) fn rename(&self, to: PathBuf) -> io::Result<()> {
        let mut state = self.state();
        fs::rename(&state.path, &to)?;
        state.path = to;
        Ok(())
    }

    /// Removes the file. Who reads it reads on.
    pub(super) fn remove(&self) -> io::Result<()> {
        let mut state = self.state();
        state.removed = true;
        fs::remove_file(&state.path)
    }

    pub(super) fn is_plain(&self) -> bool {
        let state = self.state();
        !state.packed && !state.removed
    }

    /// Puts a compressed file in the place of this one. Blocks on the disk; the one who writes and those who read do not
    /// wait for it.
    pub(super) fn pack(&self) -> io::Result<()> {
        let path = self.state().path.clone();
        let Some(mut plain) = self.open()? else { return Ok(()) };
        let (new, packed) = (with_suffix(&path, ".gz.new"), with_suffix(&path, ".gz"));
        let written = write_packed(&mut plain, &new);
        let mut state = self.state();
        if written.is_err() || state.removed {
            // What is half done takes space from those who write.
            fs::remove_file(&new)?;
            return written;
        }
        fs::rename(&new, &packed)?;
        (state.path, state.packed) = (packed, true);
        fs::remove_file(path)
    }
}

/// With the fastest of gzip's levels: text shrinks to a fifth all the same.
fn write_packed(plain: &mut Arc<File>, new: &Path) -> io::Result<()> {
    let mut encoder = GzEncoder::new(File::create(new)?, Compression::fast());
    let (mut buffer, mut at) = (vec![0; 256 * 1024], 0);
    loop {
        let read = plain.read_at(&mut buffer, at)?;
        if read == 0 {
            break;
        }
        io::Write::write_all(&mut encoder, &buffer[..read])?;
        at += read as u64;
    }
    // Its name takes the place of the plain file's: after a power cut, too, it has to be whole.
    encoder.finish()?.sync_all()
}

/// The bytes of a compressed file, in a file without a name beside it.
fn unpacked(path: &Path) -> io::Result<File> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let file = rustix::fs::open(folder, OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR)?;
    let mut file = File::from(file);
    io::copy(&mut GzDecoder::new(File::open(path)?), &mut file)?;
    Ok(file)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// A rotated file, by its name: `log.NUMBER.BYTES`, with `.gz` behind it when it is compressed. The bytes are those of the
/// unpacked file.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rotated {
    pub(super) number: u64,
    pub(super) bytes: u64,
    pub(super) packed: bool,
}

impl Rotated {
    pub(super) fn path(&self, log: &Path) -> PathBuf {
        let Self { number, bytes, packed } = self;
        with_suffix(log, &format!(".{number}.{bytes}{}", if *packed { ".gz" } else { "" }))
    }

    fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('.');
        let (number, bytes) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let packed = match (parts.next(), parts.next()) {
            (None, None) => false,
            (Some("gz"), None) => true,
            _ => return None,
        };
        Some(Self { number, bytes, packed })
    }
}

/// The rotated files of a log, the oldest first. What an earlier agent left half done is removed.
pub(super) fn rotated(log: &Path) -> io::Result<Vec<Rotated>> {
    let (Some(folder), Some(name)) = (log.parent(), log.file_name().and_then(|name| name.to_str())) else {
        return Ok(Vec::new());
    };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found: Vec<Rotated> = Vec::new();
    for entry in entries {
        let entry = entry?;
        let file = entry.file_name();
        let Some(rest) = file.to_str().and_then(|file| file.strip_prefix(name)?.strip_prefix('.')) else { continue };
        if rest.ends_with(".new") {
            fs::remove_file(entry.path())?;
        } else {
            found.extend(Rotated::parse(rest));
        }
    }
    found.sort();
    // Of a plain file and its compressed one, the latter is whole: its name was given last.
    let mut kept: Vec<Rotated> = Vec::new();
    for file in found {
        match kept.last() {
            Some(before) if before.number == file.number => {
                fs::remove_file(before.path(log))?;
                kept.pop();
            }
            _ => {}
        }
        kept.push(file);
    }
    Ok(kept)
}
