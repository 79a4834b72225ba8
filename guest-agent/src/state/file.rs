//! The database's file: with room in reserve, and with word when it fails.
//!
//! redb refuses everything after a failed write, also what would free space, until the file is opened again. So the agent
//! has to know when that happens (it ends, and the next one opens the file again; containers do not notice), and a full
//! disk should not be a reason: the file keeps blocks in reserve that no container can take.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

use redb::StorageBackend;
use rustix::fs::{FallocateFlags, fallocate};
use tokio::sync::watch;

/// Room for what is written until the next agent starts: thousands of containers.
const RESERVE_BYTES: u64 = 16 * 1024 * 1024;

/// The file.
#[derive(Debug)]
pub(super) struct DatabaseFile {
    file: File,
    failed: watch::Sender<bool>,
}

impl DatabaseFile {
    pub(super) fn open(path: &Path, failed: watch::Sender<bool>) -> io::Result<Self> {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        // Two agents never run at once; if they did, this would keep them from each other's data.
        file.try_lock()?;
        let end = file.metadata()?.len();
        if let Err(error) = fallocate(&file, FallocateFlags::KEEP_SIZE, 0, end + RESERVE_BYTES) {
            // The disk is full already, or its file system cannot do it: the database works all the same.
            tracing::warn!(%error, "no room can be kept in reserve for the database");
        }
        Ok(Self { file, failed })
    }

    fn watched<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if result.is_err() {
            self.failed.send_replace(true);
        }
        result
    }
}

impl StorageBackend for DatabaseFile {
    fn len(&self) -> io::Result<u64> {
        self.watched(self.file.metadata().map(|metadata| metadata.len()))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.watched(self.file.read_exact_at(out, offset))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.watched(self.file.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.watched(self.file.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.watched(self.file.write_all_at(data, offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_kept_in_reserve_without_making_the_file_longer() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.redb");
        let file = DatabaseFile::open(&path, watch::Sender::new(false)).unwrap();
        let metadata = std::fs::metadata(&path).unwrap();
        assert_eq!(metadata.len(), 0);
        assert!(metadata.blocks() * 512 >= RESERVE_BYTES, "{} blocks", metadata.blocks());
        drop(file);
    }

    #[test]
    fn a_failure_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.redb");
        std::fs::write(&path, b"").unwrap();
        let (failed, told) = watch::channel(false);
        let file = DatabaseFile { file: File::open(&path).unwrap(), failed };
        assert!(file.write(0, b"x").is_err(), "it is open for reading only");
        assert!(*told.borrow());
    }
}
