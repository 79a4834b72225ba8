//! Finding and making places below a root, so that nothing in the root leads out of it.
//!
//! An image may hold any symbolic link under any name, and 14 of runc's vulnerabilities were about following one. So a
//! place is a descriptor: opened by the kernel with RESOLVE_IN_ROOT when it must exist, or walked to one name at a time
//! when what is missing on the way is made.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::Path,
};

use rustix::{
    fs::{FileType, Mode, OFlags, ResolveFlags, fstat, mkdirat, openat, readlinkat},
    io::Errno,
};

use crate::within::openat2;

/// As many symbolic links as the kernel follows itself.
const MAX_LINKS: usize = 40;

/// What is made where there is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    /// A folder.
    Folder,
    /// An empty file.
    File,
}

/// Opens what is at a path below `root`, as a place to look at or mount on. Links are followed within the root.
///
/// # Errors
/// ENOENT when there is nothing.
pub fn find(root: impl AsFd, path: impl AsRef<Path>) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    openat2(root, path.as_ref(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// Opens what is at a path below `root`; a link that leads out of it is an error, not followed within.
///
/// # Errors
/// EXDEV for such a link, ENOENT when there is nothing.
pub fn find_beneath(root: impl AsFd, path: impl AsRef<Path>) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    openat2(root, path.as_ref(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// Opens a folder right below `root` that is no symbolic link, and makes it if there is nothing: where the kernel's own
/// file systems go, whose names must mean what they say.
///
/// # Errors
/// ELOOP when it is a link, ENOTDIR when it is no folder.
pub fn plain_folder(root: impl AsFd, name: &str) -> Result<OwnedFd, Errno> {
    match mkdirat(&root, name, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno),
    }
    let place = openat(&root, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    match kind(&place)? {
        FileType::Directory => Ok(place),
        FileType::Symlink => Err(Errno::LOOP),
        _ => Err(Errno::NOTDIR),
    }
}

/// Opens what is at a path below `root`, and makes it and the folders above it where there is nothing. Links are followed
/// within the root, also those that lead to nothing yet.
///
/// # Errors
/// ENOTDIR when a file is in the way, ELOOP when links go in circles.
pub fn find_or_make(root: impl AsFd, path: impl AsRef<Path>, make: Make) -> Result<OwnedFd, Errno> {
    let root = root.as_fd();
    let mut above: Vec<OwnedFd> = Vec::new();
    let mut names = components(path.as_ref().as_os_str());
    let mut links = 0;
    while let Some(name) = names.pop_front() {
        if name == ".." {
            above.pop();
            continue;
        }
        let here = above.last().map_or(root, AsFd::as_fd);
        let make = if names.is_empty() { make } else { Make::Folder };
        let place = open_or_make(here, &name, make)?;
        if kind(&place)? == FileType::Symlink {
            links += 1;
            if links > MAX_LINKS {
                return Err(Errno::LOOP);
            }
            let goal = OsString::from_vec(readlinkat(&place, "", Vec::new())?.into_bytes());
            if goal.as_bytes().starts_with(b"/") {
                above.clear();
            }
            for part in components(&goal).into_iter().rev() {
                names.push_front(part);
            }
        } else {
            above.push(place);
        }
    }
    match above.pop() {
        Some(place) => Ok(place),
        None => openat(root, ".", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()),
    }
}

/// What kind of file a place is.
///
/// # Errors
/// What the kernel says.
pub fn kind(place: impl AsFd) -> Result<FileType, Errno> {
    Ok(FileType::from_raw_mode(fstat(place)?.st_mode))
}

fn components(path: &OsStr) -> VecDeque<OsString> {
    let parts = path.as_bytes().split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    parts.map(|part| OsStr::from_bytes(part).to_owned()).collect()
}

/// One name, not followed.
fn open_or_make(folder: BorrowedFd<'_>, name: &OsStr, make: Make) -> Result<OwnedFd, Errno> {
    let open = || openat(folder, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
    match open() {
        Err(Errno::NOENT) => {}
        found => return found,
    }
    match make {
        Make::Folder => mkdirat(folder, name, Mode::from_raw_mode(0o755))?,
        Make::File => {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
            openat(folder, name, flags, Mode::from_raw_mode(0o644)).map(drop)?;
        }
    }
    open()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn same(a: impl AsFd, b: &Path) -> bool {
        let (a, b) = (fstat(a).unwrap(), rustix::fs::stat(b).unwrap());
        (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)
    }

    fn root() -> (tempfile::TempDir, OwnedFd) {
        let folder = tempfile::tempdir().unwrap();
        let root = rustix::fs::open(folder.path(), OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
        (folder, root)
    }

    #[test]
    fn what_is_missing_is_made() {
        let (folder, root) = root();
        find_or_make(&root, "/etc/deep/hosts", Make::File).unwrap();
        assert!(folder.path().join("etc/deep/hosts").is_file());
        let made = find_or_make(&root, "a/./b//c/", Make::Folder).unwrap();
        assert!(same(made, &folder.path().join("a/b/c")));
        assert!(same(find_or_make(&root, "/", Make::Folder).unwrap(), folder.path()));
    }

    #[test]
    fn links_stay_below_the_root_even_those_to_nothing() {
        let (folder, root) = root();
        symlink("/run/resolve/stub", folder.path().join("absolute")).unwrap();
        symlink("../../../../etc", folder.path().join("up")).unwrap();
        let made = find_or_make(&root, "absolute", Make::File).unwrap();
        assert!(same(made, &folder.path().join("run/resolve/stub")));
        let made = find_or_make(&root, "up/shadow", Make::File).unwrap();
        assert!(same(made, &folder.path().join("etc/shadow")));
        assert!(same(find(&root, "up/shadow").unwrap(), &folder.path().join("etc/shadow")));
        let made = find_or_make(&root, "../../x", Make::Folder).unwrap();
        assert!(same(made, &folder.path().join("x")));
    }

    #[test]
    fn circles_and_files_in_the_way_are_errors() {
        let (folder, root) = root();
        symlink("loop", folder.path().join("loop")).unwrap();
        assert_eq!(find_or_make(&root, "loop", Make::File).unwrap_err(), Errno::LOOP);
        std::fs::write(folder.path().join("file"), "").unwrap();
        assert_eq!(find_or_make(&root, "file/x", Make::File).unwrap_err(), Errno::NOTDIR);
        assert_eq!(find(&root, "nothing").unwrap_err(), Errno::NOENT);
    }

    #[test]
    fn beneath_a_root_a_link_may_lead_anywhere_but_out() {
        let (folder, root) = root();
        std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
        symlink("a/b", folder.path().join("inside")).unwrap();
        assert!(same(find_beneath(&root, "inside").unwrap(), &folder.path().join("a/b")));
        for (name, goal) in [("up", "a/../.."), ("absolute", "/etc"), ("magic", "/proc/self/root")] {
            symlink(goal, folder.path().join(name)).unwrap();
            assert_eq!(find_beneath(&root, name).unwrap_err(), Errno::XDEV, "{name}");
        }
    }

    #[test]
    fn a_plain_folder_is_no_link() {
        let (folder, root) = root();
        symlink("/", folder.path().join("dev")).unwrap();
        assert_eq!(plain_folder(&root, "dev").unwrap_err(), Errno::LOOP);
        std::fs::write(folder.path().join("sys"), "").unwrap();
        assert_eq!(plain_folder(&root, "sys").unwrap_err(), Errno::NOTDIR);
        assert!(same(plain_folder(&root, "proc").unwrap(), &folder.path().join("proc")));
    }
}
