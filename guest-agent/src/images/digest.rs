//! Hashing what is read, and ids as messages show them. The type itself is shared with the host.

use std::io::{self, Read};

pub use cove_names::{Digest, DigestError};
use sha2::{Digest as _, Sha256};

/// The first 12 digits of an id, as dockerd writes it in messages.
pub(super) fn short(id: &str) -> &str {
    let hex = id.strip_prefix("sha256:").unwrap_or(id);
    hex.get(..12).unwrap_or(hex)
}

/// Hashes and counts what is read through it.
pub(super) struct HashingReader<R> {
    inner: R,
    hash: Sha256,
    bytes: u64,
}

impl<R: Read> HashingReader<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }

    /// The digest and number of all bytes read.
    pub(super) fn finish(self) -> (Digest, u64) {
        (Digest::from(<[u8; 32]>::from(self.hash.finalize())), self.bytes)
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}
