//! Writes tar: ustar headers, and PAX records for what does not fit into them, as Go's archive/tar does for dockerd.

use std::io::{self, Read, Write};

use tar::{EntryType, Header};

use super::tape::{Entry, EntryKind};

const BLOCK: u64 = 512;
/// Largest number of a field of eight octal digits, and of one of twelve.
const MOST_OF_8: u64 = 0o777_7777;
const MOST_OF_12: u64 = 0o777_7777_7777;
/// Longest name or link target of a header.
const LONGEST_NAME: usize = 100;

/// A tar that is being written.
pub(crate) struct Scribe<W> {
    out: W,
}

impl<W: Write> Scribe<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out }
    }

    /// Writes an entry, whose data `content` has; it is an error if there is less than the entry says.
    pub(crate) fn entry(&mut self, entry: &Entry, content: impl Read) -> io::Result<()> {
        let records = records(entry);
        if !records.is_empty() {
            self.member(&extension(records.len() as u64)?, records.as_slice(), records.len() as u64)?;
        }
        self.member(&header(entry)?, content, entry.size)
    }

    /// Writes the end.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.out.write_all(&[0; 2 * BLOCK as usize])?;
        self.out.flush()
    }

    fn member(&mut self, header: &Header, content: impl Read, size: u64) -> io::Result<()> {
        self.out.write_all(header.as_bytes())?;
        let copied = io::copy(&mut content.take(size), &mut self.out)?;
        if copied < size {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read"));
        }
        let padding = usize::try_from((BLOCK - size % BLOCK) % BLOCK).unwrap_or_default();
        self.out.write_all(&[0; BLOCK as usize][..padding])
    }
}

fn extension(size: u64) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_path("PaxHeaders.0/x")?;
    header.set_entry_type(EntryType::XHeader);
    header.set_mode(0o644);
    for set in [Header::set_uid, Header::set_gid, Header::set_mtime] {
        set(&mut header, 0);
    }
    header.set_size(size);
    header.set_cksum();
    Ok(header)
}

fn header(entry: &Entry) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    {
        let raw = header.as_old_mut();
        put(&mut raw.name, &entry.path);
        put(&mut raw.linkname, &entry.link);
    }
    header.set_entry_type(match entry.kind {
        EntryKind::File => EntryType::Regular,
        EntryKind::HardLink => EntryType::Link,
        EntryKind::Symlink => EntryType::Symlink,
        EntryKind::CharDevice => EntryType::Char,
        EntryKind::BlockDevice => EntryType::Block,
        EntryKind::Fifo => EntryType::Fifo,
        EntryKind::Directory => EntryType::Directory,
    });
    header.set_mode(entry.mode);
    header.set_uid(within(entry.uid.into(), MOST_OF_8));
    header.set_gid(within(entry.gid.into(), MOST_OF_8));
    header.set_mtime(u64::try_from(entry.mtime.0).map_or(0, |seconds| within(seconds, MOST_OF_12)));
    header.set_size(within(entry.size, MOST_OF_12));
    if matches!(entry.kind, EntryKind::CharDevice | EntryKind::BlockDevice) {
        header.set_device_major(entry.device.0)?;
        header.set_device_minor(entry.device.1)?;
    }
    header.set_cksum();
    Ok(header)
}

/// What does not fit is 0 in the header: a record has it.
fn within(value: u64, most: u64) -> u64 {
    if value <= most { value } else { 0 }
}

fn put(field: &mut [u8; LONGEST_NAME], text: &[u8]) {
    let length = text.len().min(LONGEST_NAME);
    field[..length].copy_from_slice(&text[..length]);
}

fn records(entry: &Entry) -> Vec<u8> {
    let mut out = Vec::new();
    let mut record = |key: &[u8], value: &[u8]| {
        // The length counts its own digits.
        let rest = key.len() + value.len() + 3;
        let mut length = rest + rest.to_string().len();
        if rest + length.to_string().len() != length {
            length += 1;
        }
        out.extend_from_slice(length.to_string().as_bytes());
        for part in [&b" "[..], key, b"=", value, b"\n"] {
            out.extend_from_slice(part);
        }
    };
    if entry.path.len() > LONGEST_NAME {
        record(b"path", &entry.path);
    }
    if entry.link.len() > LONGEST_NAME {
        record(b"linkpath", &entry.link);
    }
    for (key, value, most) in [
        (&b"uid"[..], u64::from(entry.uid), MOST_OF_8),
        (b"gid", entry.gid.into(), MOST_OF_8),
        (b"size", entry.size, MOST_OF_12),
    ] {
        if value > most {
            record(key, value.to_string().as_bytes());
        }
    }
    if !u64::try_from(entry.mtime.0).is_ok_and(|seconds| seconds <= MOST_OF_12) {
        record(b"mtime", entry.mtime.0.to_string().as_bytes());
    }
    for (name, value) in &entry.xattrs {
        record(&[&b"SCHILY.xattr."[..], name].concat(), value);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::layers::Tape;

    fn entry(kind: EntryKind, path: &[u8]) -> Entry {
        Entry {
            path: path.to_vec(),
            link: Vec::new(),
            kind,
            mode: 0o4755,
            uid: 1,
            gid: 2,
            mtime: (1_700_000_000, 0),
            size: 0,
            sparse: None,
            device: (0, 0),
            xattrs: Vec::new(),
        }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let big = Entry { uid: u32::MAX - 1, gid: 1 << 30, mtime: (-5, 0), ..entry(EntryKind::File, &[b'n'; 300]) };
        let attributes = vec![(b"security.capability".to_vec(), b"\0\n=\xff".to_vec()), (b"user.e".to_vec(), vec![])];
        // Lengths around which the number of digits changes.
        let lengths = (80..110).map(|length| Entry {
            xattrs: vec![(b"user.l".to_vec(), vec![b'v'; length])],
            ..entry(EntryKind::Directory, b"d/")
        });
        let mut entries = vec![
            Entry { size: 700, xattrs: attributes, ..entry(EntryKind::File, b"\xff name") },
            big,
            Entry { link: vec![b'l'; 101], ..entry(EntryKind::Symlink, b"s") },
            Entry { link: b"s".to_vec(), ..entry(EntryKind::HardLink, b"h") },
            Entry { device: (1, 3), ..entry(EntryKind::CharDevice, b"c") },
            entry(EntryKind::Fifo, b"p"),
        ];
        entries.extend(lengths);
        let mut out = Vec::new();
        let mut scribe = Scribe::new(&mut out);
        for entry in &entries {
            scribe.entry(entry, &vec![7; usize::try_from(entry.size).unwrap()][..]).unwrap();
        }
        scribe.finish().unwrap();
        let mut tape = Tape::new(out.as_slice(), u64::MAX, None);
        for entry in &entries {
            assert_eq!(format!("{:?}", tape.next_entry().unwrap().unwrap()), format!("{entry:?}"));
        }
        assert!(tape.next_entry().unwrap().is_none());
    }

    #[test]
    fn a_size_beyond_eight_gibibytes_is_in_a_record() {
        let huge = Entry { size: 9 << 30, ..entry(EntryKind::File, b"f") };
        let mut out = Vec::new();
        let error = Scribe::new(&mut out).entry(&huge, io::empty()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(Tape::new(out.as_slice(), u64::MAX, None).next_entry().unwrap().unwrap().size, 9 << 30);
    }
}
