//! The initramfs of one boot: the image's, with the boot secret and what the guest is told in an archive of its own behind it.
//!
//! This works on every hypervisor, and no container can read it; the kernel's command line, every container can.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{cpio, replace};

/// Why it could not be made.
#[derive(Debug, thiserror::Error)]
pub enum InitramfsError {
    /// The image's could not be opened.
    #[error("open the machine's image {path}")]
    Image {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The boot's could not be written.
    #[error("write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Writes `image` and behind it files of the guest, by their absolute paths in one folder, to `path`.
///
/// # Errors
/// If the image cannot be read or the file cannot be written.
pub fn write(image: &Path, files: &[(&str, &[u8])], path: &Path) -> Result<(), InitramfsError> {
    let mut source = File::open(image).map_err(|source| InitramfsError::Image { path: image.to_owned(), source })?;
    replace(path, |out| {
        let length = io::copy(&mut source, out)?;
        // The kernel looks for the next archive at a multiple of four.
        out.write_all(&[0; 3][..usize::try_from(length.wrapping_neg() % 4).unwrap_or(0)])?;
        out.write_all(&archive(files)?)
    })
    .map_err(|source| InitramfsError::Write { path: path.to_owned(), source })
}

/// The archive with the files and the folders above them.
fn archive(files: &[(&str, &[u8])]) -> io::Result<Vec<u8>> {
    let folders = files.iter().flat_map(|(path, _)| {
        let path = path.trim_start_matches('/');
        path.match_indices('/').map(|(at, _)| &path[..at])
    });
    let mut entries: Vec<_> = folders.map(|path| cpio::Entry { path, permissions: 0o755, content: None }).collect();
    entries.dedup_by_key(|folder| folder.path);
    entries.extend(files.iter().map(|(path, content)| cpio::Entry {
        path: path.trim_start_matches('/'),
        permissions: 0o400,
        content: Some(content),
    }));
    let mut out = Vec::new();
    cpio::write(&mut out, &entries)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_an_aligned_archive_behind_the_image() {
        let dir = tempfile::tempdir().unwrap();
        let (image, path) = (dir.path().join("image"), dir.path().join("boot"));
        std::fs::write(&image, b"12345").unwrap();
        let files: [(&str, &[u8]); 2] = [("/cove/boot-secret", &[7; 32]), ("/cove/boot-settings", b"{}")];
        write(&image, &files, &path).unwrap();
        let all = std::fs::read(&path).unwrap();
        assert_eq!(&all[..8], b"12345\0\0\0");
        assert_eq!(all[8..], archive(&files).unwrap());
        let text = String::from_utf8_lossy(&all);
        assert!(text.matches("cove\0").count() == 1 && text.contains("cove/boot-secret\0"));
    }

    #[test]
    fn an_image_that_is_missing_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = write(&dir.path().join("none"), &[("/x", b"")], &dir.path().join("boot")).unwrap_err();
        assert!(matches!(error, InitramfsError::Image { .. }) && error.to_string().contains("none"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
