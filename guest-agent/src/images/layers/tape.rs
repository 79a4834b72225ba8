//! Reads tar: one entry after the other, every byte accounted for.
//!
//! Where readers of tar disagree (the size of an entry given twice, entries without data that claim a size, repeated
//! extended headers), an archive is refused rather than interpreted: a difference between two readers is how files get
//! past a check.

use std::borrow::Cow;
use std::io::{self, Read};

use tar::{EntryType, Header};

use super::pax::Overrides;
use super::record::RecordWriter;
use super::sparse::{self, Place, Run, Sparse, SparseWords};

/// Size of a header, and the unit of everything.
pub(super) const BLOCK: usize = 512;
/// Largest extended header (Go's limit).
pub(super) const LARGEST_EXTENSION: u64 = 1 << 20;

/// Why a tar cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TapeError {
    /// The bytes stop in the middle.
    #[error("unexpected EOF")]
    Truncated,
    /// A header that is none.
    #[error("invalid tar header at byte {0}")]
    Header(u64),
    /// An extended header.
    #[error("invalid tar extended header: {0}")]
    Extension(&'static str),
    /// A file with holes whose data does not fit, or in a form that is not read.
    #[error("invalid or unsupported sparse file in a tar")]
    Sparse,
    /// A kind of entry that is not a file's.
    #[error("unhandled tar header type {0:?}")]
    Unknown(char),
    /// More entries or bytes than allowed.
    #[error("the tar has more than {0}")]
    Limit(String),
    /// The source of the bytes: also a corrupt compression.
    #[error("read tar")]
    Read(#[source] io::Error),
    /// Writing the record.
    #[error("write the record of a layer")]
    Record(#[source] io::Error),
}

/// What an entry makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryKind {
    /// A regular file.
    File,
    /// Another name of a file before it.
    HardLink,
    /// A symbolic link.
    Symlink,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// A folder.
    Directory,
}

/// An entry's header, extended headers applied.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Name as in the archive: any bytes but NUL.
    pub(crate) path: Vec<u8>,
    /// Target of a link.
    pub(crate) link: Vec<u8>,
    /// What it is.
    pub(crate) kind: EntryKind,
    /// Permissions, with set-user-id and so on.
    pub(crate) mode: u32,
    /// Owner.
    pub(crate) uid: u32,
    /// Group.
    pub(crate) gid: u32,
    /// Seconds and nanoseconds.
    pub(crate) mtime: (i64, u32),
    /// Bytes of the file; more than 0 for files only.
    pub(crate) size: u64,
    /// Where its data goes, if it has holes.
    pub(crate) sparse: Option<Sparse>,
    /// Major and minor number of a device.
    pub(crate) device: (u32, u32),
    /// Extended attributes.
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Entry {
    /// Where its data goes, in order.
    pub(crate) fn runs(&self) -> Cow<'_, [Run]> {
        match &self.sparse {
            Some(sparse) => sparse.runs().into(),
            None => vec![Run { at: 0, bytes: self.size }].into(),
        }
    }
}

/// A tar that is being read.
pub(crate) struct Tape<R> {
    inner: R,
    /// Bytes read so far.
    position: u64,
    /// Data of the current entry that is not read yet.
    remaining: u64,
    /// Bytes after that data, up to the next header.
    padding: u64,
    /// Most bytes it may have.
    limit: u64,
    /// Takes down everything that cannot be found in the unpacked layer.
    record: Option<RecordWriter>,
    /// Whether the data of the current entry goes to the record.
    note_data: bool,
}

impl<R: Read> Tape<R> {
    /// Reads `inner`, at most `limit` bytes of it, and takes down in `record` what is needed to make it again.
    pub(crate) fn new(inner: R, limit: u64, record: Option<RecordWriter>) -> Self {
        Self { inner, position: 0, remaining: 0, padding: 0, limit, record, note_data: true }
    }

    /// Number of bytes read so far: after [`Self::next_entry`], where the entry's data begins.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The next entry. `None` at the end, which is then read to the last byte.
    pub(crate) fn next_entry(&mut self) -> Result<Option<Entry>, TapeError> {
        self.skip_data()?;
        let mut overrides = None;
        let (mut long_name, mut long_link) = (None, None);
        loop {
            let at = self.position;
            let Some(block) = self.header_block()? else {
                let complete = overrides.is_none() && long_name.is_none() && long_link.is_none();
                return if complete { Ok(None) } else { Err(TapeError::Truncated) };
            };
            let header = Header::from_byte_slice(&block);
            let size = number(&header.as_old().size).and_then(|n| u64::try_from(n).ok());
            let size = size.ok_or(TapeError::Header(at))?;
            match header.entry_type() {
                EntryType::XHeader => set_once(&mut overrides, Overrides::parse(&self.extension(size)?)?)?,
                EntryType::GNULongName => set_once(&mut long_name, until_nul(self.extension(size)?))?,
                EntryType::GNULongLink => set_once(&mut long_link, until_nul(self.extension(size)?))?,
                EntryType::XGlobalHeader => {
                    if Overrides::parse(&self.extension(size)?)?.steers_entries() {
                        return Err(TapeError::Extension("global path, linkpath or size"));
                    }
                }
                _ => {
                    let mut overrides = overrides.unwrap_or_default();
                    overrides.path = long_name.or(overrides.path);
                    overrides.link = long_link.or(overrides.link);
                    return self.entry(&block, size, overrides, at).map(Some);
                }
            }
        }
    }

    /// Reads data of the current entry. 0 at its end.
    pub(crate) fn read_data(&mut self, buffer: &mut [u8]) -> Result<usize, TapeError> {
        let most = buffer.len().min(usize::try_from(self.remaining).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let count = read(&mut self.inner, &mut buffer[..most])?;
        if count == 0 {
            return Err(TapeError::Truncated);
        }
        self.remaining -= count as u64;
        self.advance(count as u64)?;
        if self.note_data {
            self.note(&buffer[..count])?;
        }
        Ok(count)
    }

    /// Says that the data of `entry`, the current one, which must not have been read yet, will be found in a file of the
    /// layer, which is `inode`: the record then needs no copy of it.
    pub(crate) fn data_is_kept_at(&mut self, entry: &Entry, path: &[u8], inode: u64) -> Result<(), TapeError> {
        if self.remaining == 0 {
            return Ok(());
        }
        self.note_data = false;
        let Some(record) = &mut self.record else { return Ok(()) };
        entry.runs().iter().try_for_each(|run| record.file(path, *run, inode)).map_err(TapeError::Record)
    }

    /// The record of everything read, once the end is reached.
    pub(crate) fn into_record(self) -> Option<RecordWriter> {
        self.record
    }

    /// Passes over what is left of the current entry; its data goes to the record.
    pub(crate) fn skip_data(&mut self) -> Result<(), TapeError> {
        let mut buffer = [0; 16 << 10];
        loop {
            let count = self.read_data(&mut buffer)?;
            if count == 0 {
                break;
            }
        }
        self.note_data = true;
        let padding = usize::try_from(std::mem::take(&mut self.padding)).unwrap_or(BLOCK);
        self.exact(&mut buffer[..padding])
    }

    /// The entry of `header`, whose data comes next.
    fn entry(&mut self, block: &[u8; BLOCK], size: u64, mut overrides: Overrides, at: u64) -> Result<Entry, TapeError> {
        let header = Header::from_byte_slice(block);
        let name = overrides.sparse.name.take().or(overrides.path.take());
        let path = name.unwrap_or_else(|| header.path_bytes().into_owned());
        let kind = kind_of(header.entry_type(), &path)?;
        let data_bytes = overrides.size.unwrap_or(size);
        if data_bytes > 0 && kind != EntryKind::File {
            return Err(TapeError::Header(at));
        }
        let (size, sparse) = match self.holes(block, data_bytes, std::mem::take(&mut overrides.sparse))? {
            Some((size, sparse)) if kind == EntryKind::File => (size, Some(sparse)),
            Some(_) => return Err(TapeError::Sparse),
            None => {
                self.remaining = data_bytes;
                (data_bytes, None)
            }
        };
        self.padding = (BLOCK as u64 - data_bytes % BLOCK as u64) % BLOCK as u64;
        let old = header.as_old();
        let wrong = || TapeError::Header(at);
        let id = |given: Option<u32>, field| {
            given.map_or_else(|| number(field).and_then(|n| u32::try_from(n).ok()).ok_or_else(wrong), Ok)
        };
        let device = match kind {
            EntryKind::CharDevice | EntryKind::BlockDevice => {
                let part = |part: io::Result<Option<u32>>| part.map_err(|_| wrong()).map(Option::unwrap_or_default);
                (part(header.device_major())?, part(header.device_minor())?)
            }
            _ => (0, 0),
        };
        Ok(Entry {
            link: overrides
                .link
                .unwrap_or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned).unwrap_or_default()),
            mode: number(&old.mode).and_then(|n| u32::try_from(n).ok()).ok_or_else(wrong)? & 0o7777,
            uid: id(overrides.uid, &old.uid)?,
            gid: id(overrides.gid, &old.gid)?,
            mtime: overrides.mtime.map_or_else(|| number(&old.mtime).map(|s| (s, 0)).ok_or_else(wrong), Ok)?,
            xattrs: overrides.xattrs,
            path,
            kind,
            size,
            sparse,
            device,
        })
    }

    /// The size and the runs of a file with holes. What is left of the data then is theirs.
    fn holes(
        &mut self,
        header: &[u8; BLOCK],
        data_bytes: u64,
        words: SparseWords,
    ) -> Result<Option<(u64, Sparse)>, TapeError> {
        let is_old = Header::from_byte_slice(header).entry_type() == EntryType::GNUSparse;
        let (real_bytes, runs, before) = match (words.read()?, is_old) {
            (None, false) => return Ok(None),
            (None, true) => {
                let (real_bytes, runs) = sparse::of_header(header, || self.block())?;
                (real_bytes, runs, 0)
            }
            (Some((real_bytes, Place::Here(map))), false) => (real_bytes, sparse::of_text(&map)?, 0),
            (Some((real_bytes, Place::BeforeData)), false) => {
                let begin = self.position;
                let runs = sparse::of_blocks(|| self.block())?;
                (real_bytes, runs, self.position - begin)
            }
            (Some(_), true) => return Err(TapeError::Sparse),
        };
        if real_bytes > self.limit {
            return Err(TapeError::Limit(format!("{} bytes", self.limit)));
        }
        self.remaining = data_bytes.checked_sub(before).ok_or(TapeError::Sparse)?;
        Ok(Some((real_bytes, Sparse::checked(runs, real_bytes, self.remaining)?)))
    }

    fn block(&mut self) -> Result<[u8; BLOCK], TapeError> {
        let mut block = [0; BLOCK];
        self.exact(&mut block)?;
        Ok(block)
    }

    /// The next header whose checksum is right; `None` at the end of the archive.
    fn header_block(&mut self) -> Result<Option<[u8; BLOCK]>, TapeError> {
        let at = self.position;
        let mut block = [0; BLOCK];
        if !self.block_or_end(&mut block)? {
            return Ok(None);
        }
        if block != [0; BLOCK] {
            return if checksum_is_right(&block) { Ok(Some(block)) } else { Err(TapeError::Header(at)) };
        }
        // Two zero blocks are the end; one and then something else is damage, one and then nothing is sloppy.
        if self.block_or_end(&mut block)? {
            if block != [0; BLOCK] {
                return Err(TapeError::Header(at));
            }
            self.drain()?;
        }
        Ok(None)
    }

    /// Fills `block`. False when there is not a byte left.
    fn block_or_end(&mut self, block: &mut [u8; BLOCK]) -> Result<bool, TapeError> {
        let first = read(&mut self.inner, block)?;
        if first == 0 {
            return Ok(false);
        }
        self.advance(first as u64)?;
        self.note(&block[..first])?;
        self.exact(&mut block[first..])?;
        Ok(true)
    }

    /// Reads what follows the end marker: part of the digest, of no meaning.
    fn drain(&mut self) -> Result<(), TapeError> {
        let mut buffer = [0; 16 << 10];
        loop {
            let count = read(&mut self.inner, &mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            self.advance(count as u64)?;
            self.note(&buffer[..count])?;
        }
    }

    /// Reads the data of an extended header.
    fn extension(&mut self, size: u64) -> Result<Vec<u8>, TapeError> {
        if size > LARGEST_EXTENSION {
            return Err(TapeError::Extension("too large"));
        }
        let size = usize::try_from(size).unwrap_or_default();
        let mut data = vec![0; size.next_multiple_of(BLOCK)];
        self.exact(&mut data)?;
        data.truncate(size);
        Ok(data)
    }

    /// Fills `buffer` with bytes that go to the record.
    fn exact(&mut self, buffer: &mut [u8]) -> Result<(), TapeError> {
        let mut filled = 0;
        while filled < buffer.len() {
            let count = read(&mut self.inner, &mut buffer[filled..])?;
            if count == 0 {
                return Err(TapeError::Truncated);
            }
            filled += count;
        }
        self.advance(buffer.len() as u64)?;
        self.note(buffer)
    }

    fn advance(&mut self, count: u64) -> Result<(), TapeError> {
        self.position += count;
        if self.position > self.limit {
            return Err(TapeError::Limit(format!("{} bytes", self.limit)));
        }
        Ok(())
    }

    fn note(&mut self, bytes: &[u8]) -> Result<(), TapeError> {
        self.record.as_mut().map_or(Ok(()), |record| record.raw(bytes)).map_err(TapeError::Record)
    }
}

fn read(inner: &mut impl Read, buffer: &mut [u8]) -> Result<usize, TapeError> {
    loop {
        match inner.read(buffer) {
            Ok(count) => return Ok(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(TapeError::Truncated),
            Err(error) => return Err(TapeError::Read(error)),
        }
    }
}

fn set_once<T>(slot: &mut Option<T>, value: T) -> Result<(), TapeError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(TapeError::Extension("two for one entry")),
    }
}

fn until_nul(mut data: Vec<u8>) -> Vec<u8> {
    if let Some(end) = data.iter().position(|byte| *byte == 0) {
        data.truncate(end);
    }
    data
}

fn kind_of(kind: EntryType, path: &[u8]) -> Result<EntryKind, TapeError> {
    Ok(match kind {
        // Before POSIX, a folder was a file whose name ends with a slash.
        EntryType::Regular if path.ends_with(b"/") => EntryKind::Directory,
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => EntryKind::File,
        EntryType::Link => EntryKind::HardLink,
        EntryType::Symlink => EntryKind::Symlink,
        EntryType::Char => EntryKind::CharDevice,
        EntryType::Block => EntryKind::BlockDevice,
        EntryType::Fifo => EntryKind::Fifo,
        EntryType::Directory => EntryKind::Directory,
        other => return Err(TapeError::Unknown(char::from(other.as_byte()))),
    })
}

/// The sum of a header's bytes with its checksum taken as spaces; some old writers summed signed bytes.
fn checksum_is_right(block: &[u8; BLOCK]) -> bool {
    let bytes = || block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { b' ' } else { *byte });
    let unsigned: i64 = bytes().map(i64::from).sum();
    let signed: i64 = bytes().map(|byte| i64::from(byte.cast_signed())).sum();
    number(&block[148..156]).is_some_and(|sum| sum == unsigned || sum == signed)
}

/// A number: octal digits between spaces and NULs, or base 256 when the first bit is set.
pub(super) fn number(field: &[u8]) -> Option<i64> {
    let first = *field.first()?;
    if first & 0x80 != 0 {
        let negative = first & 0x40 != 0;
        let start = i128::from(if negative { first | 0x80 } else { first & 0x3f }.cast_signed());
        let wide = field
            .iter()
            .skip(1)
            .try_fold(start, |value, byte| value.checked_mul(256)?.checked_add(i128::from(*byte)))?;
        return i64::try_from(wide).ok();
    }
    let digits = field.trim_ascii_start();
    let end = digits.iter().position(|byte| matches!(byte, 0 | b' ')).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    if !rest.iter().all(|byte| matches!(byte, 0 | b' ')) {
        return None;
    }
    digits.iter().try_fold(0_i64, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_base_256() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"  644 \0"), Some(0o644));
        assert_eq!(number(b"\0\0\0"), Some(0));
        assert_eq!(number(b"\x80\0\0\0\0\0\0\0\0\0\x01\0"), Some(256));
        assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe"), Some(-2));
        assert_eq!(number(b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), None);
        assert_eq!(number(b"0008\0"), None);
        assert_eq!(number(b"07 7"), None);
    }

    #[test]
    fn an_empty_archive_has_no_entries() {
        for size in [0, 512, 1024, 10240] {
            let zeros = vec![0; size];
            let mut tape = Tape::new(zeros.as_slice(), u64::MAX, None);
            assert!(tape.next_entry().unwrap().is_none());
            assert_eq!(tape.position(), size as u64);
        }
    }

    #[test]
    fn a_cut_anywhere_inside_an_entry_is_noticed() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = Header::new_gnu();
        header.set_size(700);
        header.set_mode(0o644);
        builder.append_data(&mut header, "a".repeat(150), &[7_u8; 700][..]).unwrap();
        let archive = builder.into_inner().unwrap();
        let end_of_entry = archive.len() - 1024;
        for length in 1..end_of_entry {
            let mut tape = Tape::new(&archive[..length], u64::MAX, None);
            let read_all = |tape: &mut Tape<_>| -> Result<(), TapeError> {
                while tape.next_entry()?.is_some() {}
                Ok(())
            };
            assert!(read_all(&mut tape).is_err(), "{length}");
        }
    }
}
