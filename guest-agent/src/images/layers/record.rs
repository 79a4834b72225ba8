//! The record of a layer's tar: everything but the content of its files, so that the very same tar can be put together
//! again from the unpacked layer (the idea of tar-split). It costs about 1 % of a layer where a second, compressed copy
//! would cost 40 %.
//!
//! Format, gzip-compressed: segments of a kind byte, a length (u32, little endian) and bytes. `RAW`: bytes of the tar.
//! `INODE`: the path of a file of the layer, then its size and its inode number (u64), whose content comes here: from
//! [`super::kept`] if that has the number, else from the path. `RUN`: the same with, before the size, where in the file it
//! begins. `FILE`: the same without a number, as older versions wrote.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::kept::Kept;
use super::sparse::Run;
use super::{RECORD, TREE, tree};

const RAW: u8 = 0;
const FILE: u8 = 1;
const INODE: u8 = 2;
const RUN: u8 = 3;
/// Raw bytes are gathered to segments of at least this size.
const SEGMENT: usize = 32 << 10;
/// Longest segment that is believed: a gathered segment and the chunk that made it full.
const LONGEST: u32 = 256 << 10;

/// Writes a record.
pub(crate) struct RecordWriter {
    out: GzEncoder<BufWriter<File>>,
    raw: Vec<u8>,
}

impl RecordWriter {
    /// Writes to `file`.
    pub(crate) fn new(file: File) -> Self {
        // Headers are mostly zeros: the fastest level packs them 20 to 1.
        Self { out: GzEncoder::new(BufWriter::new(file), Compression::fast()), raw: Vec::with_capacity(SEGMENT) }
    }

    /// Notes bytes of the tar.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.raw.extend_from_slice(bytes);
        if self.raw.len() >= SEGMENT { self.flush_raw() } else { Ok(()) }
    }

    /// Notes that a run of the file at `path`, which is `inode`, comes here.
    pub(super) fn file(&mut self, path: &[u8], run: Run, inode: u64) -> io::Result<()> {
        self.flush_raw()?;
        if run.at == 0 {
            self.segment(INODE, path)?;
        } else {
            self.segment(RUN, path)?;
            self.out.write_all(&run.at.to_le_bytes())?;
        }
        self.out.write_all(&run.bytes.to_le_bytes())?;
        self.out.write_all(&inode.to_le_bytes())
    }

    /// Writes the rest.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.flush_raw()?;
        self.out.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(())
    }

    fn flush_raw(&mut self) -> io::Result<()> {
        if self.raw.is_empty() {
            return Ok(());
        }
        let raw = std::mem::take(&mut self.raw);
        self.segment(RAW, &raw)?;
        self.raw = raw;
        self.raw.clear();
        Ok(())
    }

    fn segment(&mut self, kind: u8, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= LONGEST);
        let length = length.ok_or_else(|| io::Error::other("segment too long"))?;
        self.out.write_all(&[kind])?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(bytes)
    }
}

/// Puts a tar together again from its record and the unpacked layer.
pub(crate) struct Replay {
    record: GzDecoder<io::BufReader<File>>,
    root: OwnedFd,
    kept: Kept,
    /// The part that is being read.
    part: Part,
}

enum Part {
    /// Between segments.
    None,
    /// This many raw bytes.
    Raw(u64),
    /// This many bytes of a file.
    File(File, u64),
}

impl Replay {
    /// Reads the layer in `folder`.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let record = GzDecoder::new(io::BufReader::new(File::open(folder.join(RECORD))?));
        Ok(Self { record, root: tree::open_root(&folder.join(TREE))?, kept: Kept::of(folder)?, part: Part::None })
    }

    fn next_part(&mut self) -> io::Result<bool> {
        let mut kind = [0];
        if self.record.read(&mut kind)? == 0 {
            return Ok(false);
        }
        let mut length = [0; 4];
        self.record.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length);
        self.part = match kind[0] {
            RAW => Part::Raw(length.into()),
            FILE | INODE | RUN if length <= LONGEST => {
                let mut path = vec![0; length as usize];
                self.record.read_exact(&mut path)?;
                let at = if kind[0] == RUN { self.number()? } else { 0 };
                let size = self.number()?;
                let kept =
                    if kind[0] == FILE { None } else { self.number().and_then(|inode| self.kept.open(inode))? };
                let mut file = File::from(kept.map_or_else(|| tree::open_file(&self.root, &path), Ok)?);
                file.seek(SeekFrom::Start(at))?;
                Part::File(file, size)
            }
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "the record of the layer is damaged")),
        };
        Ok(true)
    }

    fn number(&mut self) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.record.read_exact(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
}

impl Read for Replay {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let (source, remaining): (&mut dyn Read, &mut u64) = match &mut self.part {
                Part::Raw(remaining) if *remaining > 0 => (&mut self.record, remaining),
                Part::File(file, remaining) if *remaining > 0 => (file, remaining),
                _ => {
                    if buffer.is_empty() || !self.next_part()? {
                        return Ok(0);
                    }
                    continue;
                }
            };
            let most = buffer.len().min(usize::try_from(*remaining).unwrap_or(usize::MAX));
            let count = source.read(&mut buffer[..most])?;
            if count == 0 && most > 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "a file of the layer is shorter than recorded",
                ));
            }
            *remaining -= count as u64;
            return Ok(count);
        }
    }
}
