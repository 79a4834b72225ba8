//! Filling an empty volume with what the image has at its place.
//!
//! The copy is made beside the volume and becomes the volume's content by renames. Should the agent end before the copy is
//! complete, it is thrown away and made again by the next container; after that, the next agent goes on with the renames.

use std::{fs, io, os::fd::AsFd, sync::Arc};

use rustix::{
    fs::{CWD, Dir, Mode, OFlags, RenameFlags, ResolveFlags, fstat, futimens, openat, renameat_with, syncfs},
    io::Errno,
};

use crate::within::openat2;

use super::{
    Volumes,
    copy::{self, CopyError, FOLDER, is_empty},
    error::VolumesError,
    folder::{Folders, failed, make},
};

impl Volumes {
    /// Whether a volume would be filled now.
    ///
    /// # Errors
    /// If there is no such volume.
    pub fn takes_filling(&self, name: &str) -> Result<bool, VolumesError> {
        let info = self.get(name)?;
        if !info.record.options.is_empty() {
            // Memory, which is new for each run: as with dockerd, what would be copied now is gone then.
            return Ok(false);
        }
        is_empty(&info.mountpoint).map_err(failed("read", &info.mountpoint))
    }

    /// Fills a volume with what is at `target` below `root`, if it is empty and there is something. Links are followed
    /// within the root only, so that no image reaches what is not its own (CVE-2022-23648).
    ///
    /// # Errors
    /// If something cannot be copied; the volume is then as it was.
    pub fn fill(&self, name: &str, root: impl AsFd, target: &str) -> Result<(), VolumesError> {
        let filling = {
            let volumes = self.0.volumes();
            let volume = volumes.get(name).ok_or_else(|| VolumesError::NoSuchVolume(name.to_owned()))?;
            Arc::clone(&volume.filling)
        };
        let _turn = filling.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !self.takes_filling(name)? {
            return Ok(());
        }
        let below_root = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let from = match openat2(root, target, FOLDER, Mode::empty(), below_root) {
            Ok(from) => from,
            // There is nothing, or what there is cannot be mounted on, which the start will say.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(()),
            Err(errno) => return Err(not_filled(name, target, CopyError { file: "".into(), source: errno.into() })),
        };
        let place = self.0.folders.filling(name);
        make(&place, 0o700)?;
        let to = openat(CWD, &place, FOLDER, Mode::empty()).map_err(io::Error::from).map_err(failed("open", &place))?;
        if let Err(error) = copy::tree(&from, &to) {
            finish(&self.0.folders, name)?;
            return Err(not_filled(name, target, error));
        }
        // What is complete must be so after a power cut as well.
        syncfs(&to).map_err(io::Error::from).map_err(failed("sync", &place))?;
        fs::rename(&place, self.0.folders.moving(name)).map_err(failed("rename", &place))?;
        finish(&self.0.folders, name)
    }
}

fn not_filled(name: &str, target: &str, CopyError { file, source }: CopyError) -> VolumesError {
    let file = format!("/{}", file.display());
    VolumesError::Fill { name: name.to_owned(), target: target.to_owned(), file, source }
}

/// Goes on with what was begun: an incomplete copy goes, a complete one is moved to its place.
pub(super) fn finish(folders: &Folders, name: &str) -> Result<(), VolumesError> {
    Folders::free(&folders.filling(name))?;
    let (from, to) = (folders.moving(name), folders.data(name));
    let open = |path| openat(CWD, path, FOLDER | OFlags::NOFOLLOW, Mode::empty());
    let copied = match open(&from) {
        Err(Errno::NOENT) => return Ok(()),
        copied => copied.map_err(io::Error::from).map_err(failed("open", &from))?,
    };
    let moved = || -> Result<(), Errno> {
        let data = open(&to)?;
        // Moving things out of it is a change of it.
        let times = copy::times(&fstat(&copied)?);
        for entry in Dir::read_from(&copied)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            match renameat_with(&copied, name, &data, name, RenameFlags::NOREPLACE) {
                // A container that saw the empty volume was quicker; what it wrote stays.
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
        copy::attributes(&copied, &data)?;
        futimens(&data, &times)
    };
    moved().map_err(io::Error::from).map_err(failed("move what was copied into", &to))?;
    Folders::free(&from)
}
