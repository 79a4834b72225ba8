//! Numbers and names out of a message's bytes. Whatever is missing or too much is an error: the guest is not trusted.

use std::fmt;

use super::MAX_NAME_BYTES;
use crate::errno::Errno;

/// A name in a folder: one component of a path, never "." or "..".
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name<'a>(&'a [u8]);

impl<'a> Name<'a> {
    /// A name from bytes.
    ///
    /// # Errors
    /// `INVAL` for what is no name of a file, `NAMETOOLONG`.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Errno> {
        if bytes.len() > MAX_NAME_BYTES {
            return Err(Errno::NAMETOOLONG);
        }
        if matches!(bytes, b"" | b"." | b"..") || bytes.iter().any(|byte| matches!(byte, 0 | b'/')) {
            return Err(Errno::INVAL);
        }
        Ok(Self(bytes))
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.0))
    }
}

/// Takes fields off the front of bytes.
#[derive(Debug)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The fields in `bytes`.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], Errno> {
        let (array, rest) = self.0.split_first_chunk::<LENGTH>().ok_or(Errno::INVAL)?;
        self.0 = rest;
        Ok(*array)
    }

    /// A number of two bytes.
    pub fn u16(&mut self) -> Result<u16, Errno> {
        self.array().map(u16::from_le_bytes)
    }

    /// A number of four bytes.
    pub fn u32(&mut self) -> Result<u32, Errno> {
        self.array().map(u32::from_le_bytes)
    }

    /// A number of eight bytes.
    pub fn u64(&mut self) -> Result<u64, Errno> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number of eight bytes with a sign.
    pub fn i64(&mut self) -> Result<i64, Errno> {
        self.array().map(i64::from_le_bytes)
    }

    /// Steps over fields that nobody reads.
    pub fn skip(&mut self, bytes: usize) -> Result<(), Errno> {
        self.bytes(bytes).map(drop)
    }

    /// So many bytes.
    pub fn bytes(&mut self, length: usize) -> Result<&'a [u8], Errno> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Errno::INVAL)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// Bytes that end with a NUL, without it.
    pub fn text(&mut self) -> Result<&'a [u8], Errno> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or(Errno::INVAL)?;
        let text = &self.0[..end];
        self.0 = &self.0[end + 1..];
        Ok(text)
    }

    /// A name that ends with a NUL.
    pub fn name(&mut self) -> Result<Name<'a>, Errno> {
        Name::new(self.text()?)
    }

    /// Nothing more may come.
    pub fn end(self) -> Result<(), Errno> {
        if self.0.is_empty() { Ok(()) } else { Err(Errno::INVAL) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_elsewhere_is_no_name() {
        for bytes in [&b""[..], b".", b"..", b"a/b", b"/", b"a\0b"] {
            assert_eq!(Name::new(bytes), Err(Errno::INVAL), "{bytes:?}");
        }
        assert_eq!(Name::new(&[b'a'; 256]), Err(Errno::NAMETOOLONG));
        for bytes in [&b"..."[..], b".a", b"a\\b", b"\xff\xfe", &[b'a'; 255]] {
            assert_eq!(Name::new(bytes).unwrap().as_bytes(), bytes);
        }
    }

    #[test]
    fn fields_that_are_missing_or_too_many_are_errors() {
        let mut fields = Fields::of(b"\x01\0\0\0name\0x");
        assert_eq!((fields.u32(), fields.name().unwrap().as_bytes()), (Ok(1), &b"name"[..]));
        assert_eq!(
            (fields.u16(), fields.text(), fields.end()),
            (Err(Errno::INVAL), Err(Errno::INVAL), Err(Errno::INVAL))
        );
    }
}
