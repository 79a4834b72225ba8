//! This computer's files as a tar, as they are: owners and modes where the system has them, links as links.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tokio::sync::mpsc;

use crate::output;

/// Writes the tar of what is at `path` with `name` in the place of its own.
pub(super) fn pack(path: &Path, name: &Path, to: impl io::Write) -> io::Result<()> {
    let mut tar = tar::Builder::new(to);
    tar.follow_symlinks(false);
    append(&mut tar, path, name)?;
    tar.into_inner()?.flush()
}

fn append(tar: &mut tar::Builder<impl io::Write>, path: &Path, name: &Path) -> io::Result<()> {
    let about = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let kind = fs::symlink_metadata(path).map_err(about)?.file_type();
    if kind.is_dir() {
        tar.append_dir(name, path).map_err(about)?;
        return entries(path).map_err(about)?.iter().try_for_each(|entry| {
            let last = entry.file_name().unwrap_or_default();
            append(tar, entry, &name.join(last))
        });
    }
    if !kind.is_file() && !kind.is_symlink() {
        output::aside(&format!("{} is left out: it is neither a file nor a folder nor a link", path.display()));
        return Ok(());
    }
    tar.append_path_with_name(path, name).map_err(about)
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    entries.sort();
    Ok(entries)
}

/// Hands on what is written.
pub(super) struct Pieces(pub(super) mpsc::Sender<Vec<u8>>);

impl io::Write for Pieces {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        // The engine hangs up when it knows what is wrong; it says so itself.
        self.0.blocking_send(data.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
