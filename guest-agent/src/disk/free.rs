//! Freeing what a tree takes, however deep a container has made it.
//!
//! Walked with a descriptor for each level, a tree of thousands of levels would take all that the agent has. So what lies
//! deeper than a few is first moved to the top.

use std::{
    ffi::{CStr, CString},
    io,
    os::fd::{AsFd, BorrowedFd},
    path::Path,
};

use rustix::{
    fs::{AtFlags, CWD, Dir, Mode, OFlags, openat, renameat, unlinkat},
    io::Errno,
};

/// Levels that are walked with a descriptor each.
const LEVELS: usize = 32;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Removes a folder of the engine's own with all that is in it, which nobody else uses any more; no link is followed. One
/// that is not there is removed.
///
/// # Errors
/// What the kernel says.
pub(crate) fn free(path: &Path) -> io::Result<()> {
    let top = match openat(CWD, path, FOLDER, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(()),
        top => top?,
    };
    let mut moved = 0;
    loop {
        let before = moved;
        Walk { top: top.as_fd(), moved: &mut moved }.empty(top.as_fd(), 0)?;
        if moved == before {
            break;
        }
    }
    std::fs::remove_dir(path)
}

struct Walk<'a> {
    top: BorrowedFd<'a>,
    /// How many folders were moved to the top, which names them.
    moved: &'a mut u64,
}

impl Walk<'_> {
    fn empty(&mut self, folder: BorrowedFd<'_>, level: usize) -> Result<(), Errno> {
        for entry in Dir::read_from(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if !matches!(name.to_bytes(), b"." | b"..") {
                self.remove(folder, name, level)?;
            }
        }
        Ok(())
    }

    fn remove(&mut self, folder: BorrowedFd<'_>, name: &CStr, level: usize) -> Result<(), Errno> {
        match unlinkat(folder, name, AtFlags::empty()) {
            Err(Errno::ISDIR | Errno::PERM) => {}
            done => return done,
        }
        // Most folders are empty by now, or were.
        match unlinkat(folder, name, AtFlags::REMOVEDIR) {
            Err(Errno::NOTEMPTY | Errno::EXIST) => {}
            done => return done,
        }
        if level >= LEVELS {
            return self.move_up(folder, name);
        }
        let below = openat(folder, name, FOLDER, Mode::empty())?;
        self.empty(below.as_fd(), level + 1)?;
        unlinkat(folder, name, AtFlags::REMOVEDIR)
    }

    /// To a name that nothing at the top has.
    fn move_up(&mut self, folder: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
        loop {
            *self.moved += 1;
            let to = CString::new(format!(".deep-{}", self.moved)).map_err(|_| Errno::INVAL)?;
            match renameat(folder, name, self.top, &to) {
                // A file of that name, or a folder with something in it.
                Err(Errno::NOTDIR | Errno::NOTEMPTY | Errno::EXIST) => {}
                done => return done,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    #[test]
    fn all_goes_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let (tree, other) = (root.path().join("tree"), root.path().join("other"));
        fs::create_dir_all(tree.join("a/b")).unwrap();
        fs::create_dir_all(&other).unwrap();
        fs::write(other.join("kept"), "").unwrap();
        symlink(&other, tree.join("a/link")).unwrap();
        fs::write(tree.join("a/b/file"), "").unwrap();
        fs::write(tree.join(".deep-1"), "").unwrap();
        free(&tree).unwrap();
        free(&tree).unwrap();
        assert!(!tree.exists() && other.join("kept").exists());
    }

    #[test]
    fn a_tree_that_no_path_reaches_goes_as_well() {
        let root = tempfile::tempdir().unwrap();
        let tree = root.path().join("tree");
        fs::create_dir(&tree).unwrap();
        let mut here = openat(CWD, &tree, FOLDER, Mode::empty()).unwrap();
        for _ in 0..3000 {
            rustix::fs::mkdirat(&here, "d", Mode::from_raw_mode(0o755)).unwrap();
            rustix::fs::mkdirat(&here, "e", Mode::from_raw_mode(0o755)).unwrap();
            here = openat(&here, "d", FOLDER, Mode::empty()).unwrap();
        }
        drop(here);
        free(&tree).unwrap();
        assert!(!tree.exists());
    }
}
