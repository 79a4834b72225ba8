//! The "newc" cpio format that the kernel unpacks into its first root file system (Documentation/driver-api/early-userspace/
//! buffer-format.rst).

use std::io::{self, Write};

const REGULAR: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;

/// An entry of an archive.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Path without a leading slash.
    pub path: &'a str,
    /// Permissions.
    pub permissions: u32,
    /// Content of a file; `None` makes a folder.
    pub content: Option<&'a [u8]>,
}

/// Writes a whole archive. All of it is root's, dated 1970.
///
/// # Errors
/// If the output fails, or an entry is larger than the format allows (4 GiB).
pub fn write(out: &mut impl Write, entries: &[Entry<'_>]) -> io::Result<()> {
    for (number, entry) in (1u32..).zip(entries) {
        let kind = if entry.content.is_some() { REGULAR } else { FOLDER };
        record(out, number, kind | entry.permissions, entry.path, entry.content.unwrap_or_default())?;
    }
    record(out, 0, 0, "TRAILER!!!", b"")
}

fn record(out: &mut impl Write, inode: u32, mode: u32, path: &str, content: &[u8]) -> io::Result<()> {
    let size = u32::try_from(content.len()).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    let name_size = u32::try_from(path.len() + 1).map_err(|_| io::Error::from(io::ErrorKind::InvalidFilename))?;
    let links = if mode & FOLDER == 0 { 1 } else { 2 };
    // magic, then: inode mode uid gid links mtime size dev-major dev-minor rdev-major rdev-minor name-size checksum
    write!(out, "070701")?;
    for field in [inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name_size, 0] {
        write!(out, "{field:08X}")?;
    }
    out.write_all(path.as_bytes())?;
    out.write_all(&[0])?;
    pad(out, 110 + path.len() + 1)?;
    out.write_all(content)?;
    pad(out, content.len())
}

fn pad(out: &mut impl Write, length: usize) -> io::Result<()> {
    out.write_all(&[0; 3][..length.wrapping_neg() % 4])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_and_body_begins_on_a_multiple_of_four() {
        let mut out = Vec::new();
        let file = Entry { path: "cove/x", permissions: 0o400, content: Some(b"12345") };
        write(&mut out, &[Entry { path: "cove", permissions: 0o755, content: None }, file]).unwrap();
        assert_eq!(out.len() % 4, 0);
        let starts: Vec<_> = (0..out.len()).filter(|at| out[*at..].starts_with(b"070701")).collect();
        assert_eq!(starts, [0, 116, 116 + 120 + 8]);
        assert_eq!(&out[116 + 110..116 + 116], b"cove/x");
        assert_eq!(&out[116 + 120..116 + 125], b"12345");
        assert_eq!(&out[116 + 14..116 + 22], b"00008100");
    }
}
