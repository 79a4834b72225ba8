//! An archive in a file of the data disk, decompressed, with an index of its members.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crate::images::config::LARGEST_DOCUMENT;
use crate::images::error::at;
use crate::images::layers::{EntryKind, LayerError, Tape, TapeError, plain};
use crate::images::space::SpaceGuard;
use crate::images::temporary::Temporary;
use crate::images::{ImageStore, ImagesError};

/// Most members of an archive.
const MOST_MEMBERS: usize = 100_000;
/// Most links from one member to another.
const MOST_LINKS: usize = 8;
/// Bytes gathered for a write.
const GATHER: usize = 256 << 10;

/// A spooled archive. Its file goes when it is dropped.
pub(crate) struct Spool {
    file: Arc<File>,
    place: Temporary,
    members: HashMap<String, Member>,
}

enum Member {
    File(Range),
    /// The legacy format stores a layer that two images share once, and a link.
    Link(String),
}

/// A part of the file.
#[derive(Clone, Copy)]
struct Range {
    start: u64,
    size: u64,
}

impl Spool {
    /// Takes in a whole archive and finds its members.
    pub(crate) fn fill(store: &ImageStore, archive: impl Read) -> Result<Self, ImagesError> {
        let mut spool = Self::new(store)?;
        let mut bytes = 0;
        spool
            .fill_from(store, archive, &mut bytes)
            .map_err(|error| store.explain_full(LayerError::from(error).into(), "the archive", bytes, bytes))?;
        Ok(spool)
    }

    fn new(store: &ImageStore) -> Result<Self, ImagesError> {
        let place = Temporary::new(store, &store.spool_folder())?;
        let made = File::options().read(true).write(true).create_new(true).open(place.path());
        let file = made.map_err(at("make", place.path()))?;
        Ok(Self { file: Arc::new(file), place, members: HashMap::new() })
    }

    fn fill_from(&mut self, store: &ImageStore, archive: impl Read, bytes: &mut u64) -> Result<(), TapeError> {
        let mut tee = Tee::new(plain(archive).map_err(TapeError::Read)?, &self.file, store);
        let mut tape = Tape::new(&mut tee, u64::MAX, None);
        let result = Self::index(&mut tape);
        *bytes = tee.bytes;
        self.members = result?;
        tee.finish().map_err(TapeError::Read)
    }

    fn index<R: Read>(tape: &mut Tape<R>) -> Result<HashMap<String, Member>, TapeError> {
        let mut members = HashMap::new();
        while let Some(entry) = tape.next_entry()? {
            let Ok(name) = String::from_utf8(entry.path) else { continue };
            let name = normal(&name);
            match entry.kind {
                // Its data is not where readers of the member look.
                EntryKind::File if entry.sparse.is_some() => return Err(TapeError::Sparse),
                EntryKind::File => {
                    members.insert(name, Member::File(Range { start: tape.position(), size: entry.size }));
                }
                EntryKind::Symlink | EntryKind::HardLink => {
                    let Ok(target) = String::from_utf8(entry.link) else { continue };
                    let folder = match (entry.kind, name.rsplit_once('/')) {
                        (EntryKind::Symlink, Some((folder, _))) => folder,
                        _ => "",
                    };
                    let target = normal(&format!("{folder}/{target}"));
                    members.insert(name, Member::Link(target));
                }
                _ => {}
            }
            if members.len() > MOST_MEMBERS {
                return Err(TapeError::Limit(format!("{MOST_MEMBERS} members")));
            }
        }
        Ok(members)
    }

    /// Whether there is such a member.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.range(name).is_ok()
    }

    /// Size of a member.
    pub(crate) fn size(&self, name: &str) -> Result<u64, ImagesError> {
        Ok(self.range(name)?.size)
    }

    /// Reads a member from its beginning.
    pub(crate) fn open(&self, name: &str) -> Result<MemberReader, ImagesError> {
        let Range { start, size } = self.range(name)?;
        Ok(MemberReader { file: Arc::clone(&self.file), at: start, remaining: size })
    }

    /// All of a member that is a document: at most 4 MiB.
    pub(crate) fn small(&self, name: &str) -> Result<Vec<u8>, ImagesError> {
        let size = self.size(name)?;
        if size > LARGEST_DOCUMENT {
            return Err(ImagesError::Archive(format!("{name} has {size} bytes, more than {LARGEST_DOCUMENT}")));
        }
        let mut bytes = Vec::new();
        self.open(name)?.read_to_end(&mut bytes).map_err(at("read", self.place.path()))?;
        Ok(bytes)
    }

    fn range(&self, name: &str) -> Result<Range, ImagesError> {
        let mut name = normal(name);
        for _ in 0..MOST_LINKS {
            match self.members.get(&name) {
                Some(Member::File(range)) => return Ok(*range),
                Some(Member::Link(target)) => name.clone_from(target),
                None => break,
            }
        }
        Err(ImagesError::Archive(format!("{name} is not in it")))
    }
}

/// Reads a member; others may read at the same time.
pub(crate) struct MemberReader {
    file: Arc<File>,
    at: u64,
    remaining: u64,
}

impl Read for MemberReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.remaining).unwrap_or(usize::MAX));
        let count = self.file.read_at(&mut buffer[..most], self.at)?;
        self.at += count as u64;
        self.remaining -= count as u64;
        Ok(count)
    }
}

/// Writes to a file what is read through it, as long as the disk has room.
struct Tee<'a, R> {
    source: R,
    file: BufWriter<&'a File>,
    bytes: u64,
    guard: SpaceGuard,
}

impl<'a, R: Read> Tee<'a, R> {
    fn new(source: R, file: &'a File, store: &ImageStore) -> Self {
        let root: &Path = &store.0.config.root;
        let guard = SpaceGuard::new(root, store.0.config.limits.reserved_bytes);
        Self { source, file: BufWriter::with_capacity(GATHER, file), bytes: 0, guard }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.bytes += count as u64;
        self.guard.used(count)?;
        self.file.write_all(&buffer[..count])?;
        Ok(count)
    }
}

/// A member's name without "./" and the like.
fn normal(name: &str) -> String {
    let mut parts = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}
