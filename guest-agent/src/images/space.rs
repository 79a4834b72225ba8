//! Keeps a reserve of the data disk free, for the database and the containers' own files.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// How many bytes are written between two looks at the disk, at most.
const INTERVAL: usize = 8 << 20;

/// Fails with ENOSPC before the reserve is touched.
pub(super) struct SpaceGuard {
    folder: PathBuf,
    open: Option<OwnedFd>,
    reserved_bytes: u64,
    /// Bytes until the next look.
    left: usize,
}

impl SpaceGuard {
    /// Guards the disk of `folder`.
    pub(super) fn new(folder: &Path, reserved_bytes: u64) -> Self {
        Self { folder: folder.to_owned(), open: None, reserved_bytes, left: 0 }
    }

    /// Says that `bytes` are about to be written.
    pub(super) fn used(&mut self, bytes: usize) -> io::Result<()> {
        if bytes < self.left {
            self.left -= bytes;
            return Ok(());
        }
        self.left = INTERVAL;
        let folder = match &self.open {
            Some(folder) => folder,
            None => self.open.insert(std::fs::File::open(&self.folder)?.into()),
        };
        let facts = rustix::fs::fstatvfs(folder)?;
        let free = facts.f_bavail.saturating_mul(facts.f_frsize);
        if free < self.reserved_bytes.saturating_add(bytes as u64) {
            return Err(rustix::io::Errno::NOSPC.into());
        }
        Ok(())
    }
}
