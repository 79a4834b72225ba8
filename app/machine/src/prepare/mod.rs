//! The files of a run.
//!
//! * [`cpio`] — writes the archive format that the kernel unpacks.
//! * [`initramfs`] — the image's initramfs with the boot secret at its end.
//! * [`disk`] — the data disk.
//! * `vhdx` — ... in the format of Hyper-V.
//!
//! What is written is replaced as a whole and readable by this user alone: `tempfile` makes files so on every system.

use std::{fs::File, io, path::Path};

pub mod cpio;
pub mod disk;
pub mod initramfs;
mod vhdx;

/// Replaces a file as a whole; a reader sees the old one or the new one.
pub(crate) fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    write(temporary.as_file_mut())?;
    temporary.as_file().sync_data()?;
    temporary.persist(path).map_err(|e| e.error)?;
    Ok(())
}
