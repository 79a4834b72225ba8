//! How much is in a volume. Containers may be changing it meanwhile, so folders are walked by descriptor and no link is
//! followed.

use std::{collections::HashSet, io, path::Path};

use rustix::{
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, statat},
    io::Errno,
};

use super::copy::{DEEPEST, FOLDER};

/// Bytes of the files below a folder, each file counted once.
pub(super) fn of(path: &Path) -> io::Result<u64> {
    let root = openat(CWD, path, FOLDER, Mode::empty())?;
    let (mut bytes, mut seen) = (0, HashSet::new());
    let mut open = vec![Dir::new(root)?];
    loop {
        let depth = open.len();
        let Some(folder) = open.last_mut() else { return Ok(bytes) };
        let Some(entry) = folder.read() else {
            open.pop();
            continue;
        };
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let folder = folder.fd()?;
        let facts = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(facts) => facts,
            // It has gone while this looked at it.
            Err(Errno::NOENT) => continue,
            Err(errno) => return Err(errno.into()),
        };
        if FileType::from_raw_mode(facts.st_mode) != FileType::Directory {
            if facts.st_nlink == 1 || seen.insert((facts.st_dev, facts.st_ino)) {
                bytes += u64::try_from(facts.st_size).unwrap_or_default();
            }
            continue;
        }
        if depth >= DEEPEST {
            return Err(Errno::NAMETOOLONG.into());
        }
        match openat(folder, name, FOLDER | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(folder) => open.push(Dir::new(folder)?),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}
