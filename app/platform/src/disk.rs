//! Space on the host's disks.

use std::{io, path::Path};

/// Bytes that this user may still write on the file system that holds `path`, which must exist.
///
/// # Errors
/// What the system says about the path.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    // Windows looks at the disk's name alone.
    std::fs::metadata(path)?;
    fs4::available_space(path)
}

/// Bytes that a file takes on its disk; for a sparse one less than its length.
///
/// # Errors
/// What the system says about the path.
pub fn allocated_bytes(path: &Path) -> io::Result<u64> {
    fs4::FileExt::allocated_size(&std::fs::File::open(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_can_be_written_to_has_free_space() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free_bytes(folder.path()).unwrap() > 0);
    }

    #[test]
    fn a_sparse_file_takes_less_than_its_length() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(1 << 30).unwrap();
        assert!(allocated_bytes(file.path()).unwrap() < 1 << 20);
    }

    #[test]
    fn a_path_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(free_bytes(&folder.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
