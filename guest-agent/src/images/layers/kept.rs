//! Files whose place another entry of the same tar took. The record refers to their content, so they are kept beside the
//! tree, called by their inode number: `kept/<number>`. A number cannot come twice, since what is kept holds it. A layer
//! that has such files is rare, and can be unpacked in one pass all the same.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, Stat, mkdirat, renameat, unlinkat};
use rustix::io::Errno;

use super::tree;

const FOLDER: &[u8] = b"kept";

/// What a layer keeps.
pub(super) struct Kept {
    layer: OwnedFd,
    /// Opened once it is there.
    folder: Option<OwnedFd>,
}

impl Kept {
    /// What the layer in `layer` keeps; mostly nothing.
    pub(super) fn of(layer: &Path) -> io::Result<Self> {
        let layer = tree::open_root(layer)?;
        let folder = match tree::open_child(layer.as_fd(), FOLDER) {
            Err(Errno::NOENT) => None,
            other => Some(other?),
        };
        Ok(Self { layer, folder })
    }

    /// Opens what was the file `inode`, if it is kept.
    pub(super) fn open(&self, inode: u64) -> io::Result<Option<OwnedFd>> {
        let Some(folder) = &self.folder else { return Ok(None) };
        match tree::open_file(folder, inode.to_string().as_bytes()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    /// Takes `name` out of `parent` with all that is in it, and keeps the files that have content.
    pub(super) fn take_out(&mut self, parent: BorrowedFd<'_>, name: &[u8], stat: &Stat) -> rustix::io::Result<()> {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let folder = tree::open_child(parent, name)?;
                for entry in Dir::read_from(&folder)? {
                    let entry = entry?;
                    let child = entry.file_name().to_bytes();
                    if !tree::is_dot(entry.file_name())
                        && let Some(stat) = tree::lookup(folder.as_fd(), child)?
                    {
                        self.take_out(folder.as_fd(), child, &stat)?;
                    }
                }
                unlinkat(parent, name, AtFlags::REMOVEDIR)
            }
            FileType::RegularFile if stat.st_size > 0 => self.keep(parent, name, stat.st_ino),
            _ => unlinkat(parent, name, AtFlags::empty()),
        }
    }

    fn keep(&mut self, parent: BorrowedFd<'_>, name: &[u8], inode: u64) -> rustix::io::Result<()> {
        renameat(parent, name, self.folder()?, inode.to_string())?;
        // Renaming onto another name of the same file does nothing.
        match unlinkat(parent, name, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            other => other,
        }
    }

    fn folder(&mut self) -> rustix::io::Result<&OwnedFd> {
        if self.folder.is_none() {
            mkdirat(&self.layer, FOLDER, Mode::RWXU)?;
        }
        match &mut self.folder {
            Some(folder) => Ok(folder),
            none => Ok(none.insert(tree::open_child(self.layer.as_fd(), FOLDER)?)),
        }
    }
}
