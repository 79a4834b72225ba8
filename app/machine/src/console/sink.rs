//! The writing side of a console log.

use std::{
    fs::File,
    io::{self, Write},
    path::PathBuf,
};

use super::rotate;

/// How large one file may become; two are kept.
pub const MAX_BYTES: u64 = 4 << 20;

/// A console log that is being written. At [`MAX_BYTES`] the file is put aside as `.1` and a new one begun, so the newest
/// output is always there.
#[derive(Debug)]
pub struct Sink {
    path: PathBuf,
    file: File,
    length: u64,
    max: u64,
}

impl Sink {
    /// Begins the log of a boot; the file must have been put aside before.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create(path: PathBuf) -> io::Result<Self> {
        Self::with_max(path, MAX_BYTES)
    }

    fn with_max(path: PathBuf, max: u64) -> io::Result<Self> {
        let file = File::create(&path)?;
        Ok(Self { path, file, length: 0, max })
    }

    /// Adds what the guest wrote.
    ///
    /// # Errors
    /// If the host's disk is full, and the like.
    pub fn write(&mut self, data: &[u8]) -> io::Result<()> {
        if self.length > 0 && self.length + data.len() as u64 > self.max {
            rotate(&self.path)?;
            self.file = File::create(&self.path)?;
            self.length = 0;
        }
        self.file.write_all(data)?;
        self.length += data.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_talkative_guest_fills_two_files_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console.log");
        let mut sink = Sink::with_max(path.clone(), 100).unwrap();
        for i in 0..50 {
            sink.write(format!("line number {i:02}\n").as_bytes()).unwrap();
        }
        assert!(std::fs::metadata(&path).unwrap().len() <= 100);
        assert!(std::fs::metadata(super::super::previous(&path)).unwrap().len() <= 100);
        assert!(std::fs::read_to_string(&path).unwrap().ends_with("line number 49\n"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
