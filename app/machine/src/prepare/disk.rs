//! The data disk: a raw, sparse file, or a VHDX if its name says so. It grows to the size asked for and never shrinks,
//! because what is beyond the end of a file system that is not told is lost.

use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use super::vhdx;

/// Why there is no data disk.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The file could not be made or opened.
    #[error("open the data disk {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It could not be made larger.
    #[error("grow the data disk {path} to {bytes} bytes")]
    Grow {
        /// The file.
        path: PathBuf,
        /// The size asked for.
        bytes: u64,
        /// Why.
        source: io::Error,
    },
}

/// Makes or grows the disk and says how large it is.
///
/// # Errors
/// If the file cannot be made, opened or grown.
pub fn ensure(path: &Path, bytes: u64) -> Result<u64, DiskError> {
    let open = |source| DiskError::Open { path: path.to_owned(), source };
    let mut file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => create(path, bytes).map_err(open)?,
        Err(e) => return Err(open(e)),
    };
    let grow = if is_vhdx(path) { vhdx::grow } else { grow_raw };
    grow(&mut file, bytes).map_err(|source| DiskError::Grow { path: path.to_owned(), bytes, source })
}

/// How large the disk is for a guest.
///
/// # Errors
/// If there is none, or its file cannot be read.
pub fn size(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    if is_vhdx(path) { vhdx::size(&mut file) } else { Ok(file.metadata()?.len()) }
}

fn is_vhdx(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "vhdx")
}

/// A new file that only this user reads: it holds whatever containers keep.
fn create(path: &Path, bytes: u64) -> io::Result<File> {
    if is_vhdx(path) { vhdx::create(path, bytes) } else { super::replace(path, |_| Ok(())) }?;
    OpenOptions::new().read(true).write(true).open(path)
}

fn grow_raw(file: &mut File, bytes: u64) -> io::Result<u64> {
    let present = file.metadata()?.len();
    if present >= bytes {
        return Ok(present);
    }
    file.set_len(bytes).map(|()| bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_grows_but_never_shrinks() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data.raw");
        assert_eq!(ensure(&path, 1 << 20).unwrap(), 1 << 20);
        assert_eq!(ensure(&path, 1 << 30).unwrap(), 1 << 30);
        assert_eq!(ensure(&path, 1 << 20).unwrap(), 1 << 30);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 1 << 30);
    }

    #[test]
    fn a_raw_disk_under_the_name_of_a_vhdx_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data.vhdx");
        std::fs::write(&path, [0; 64]).unwrap();
        assert!(matches!(ensure(&path, 1 << 30), Err(DiskError::Grow { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), [0; 64]);
    }

    #[test]
    fn a_disk_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = ensure(&dir.path().join("no/data.raw"), 1).unwrap_err();
        assert!(matches!(error, DiskError::Open { .. }) && error.to_string().contains("no/data.raw"));
    }
}
