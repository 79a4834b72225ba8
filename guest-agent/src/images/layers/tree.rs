//! The tree of files of a layer, reached by directory descriptors only: no path of an archive is ever resolved but below
//! the root of its layer (openat2 with RESOLVE_IN_ROOT or RESOLVE_BENEATH), whatever symbolic links the archive made.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, XattrFlags, fsetxattr, mkdirat, openat, statat,
    unlinkat,
};

use crate::within::openat2;
use rustix::io::Errno;

/// Deepest tree that is removed with a descriptor per level.
const DEEPEST: usize = 4096;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Opens a folder of our own by path.
pub(super) fn open_root(root: &Path) -> io::Result<OwnedFd> {
    Ok(openat(CWD, root, FOLDER | OFlags::NOFOLLOW, Mode::empty())?)
}

/// Opens a regular file below `root` for reading; no component may be a symbolic link.
pub(super) fn open_file(root: &OwnedFd, path: &[u8]) -> io::Result<OwnedFd> {
    let strict = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    Ok(openat2(root, path, flags, Mode::empty(), strict)?)
}

/// Opens the folder `name` of `parent`; ELOOP if it is a symbolic link.
pub(super) fn open_child(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    let strict = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    openat2(parent, name, FOLDER, Mode::empty(), strict)
}

/// What is called `name` in `parent`, itself and not what it points to.
pub(super) fn lookup(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<Option<Stat>> {
    match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The folders of the path that was opened last, so that an archive in the order of its tree costs one open per folder.
pub(super) struct Folders {
    root: OwnedFd,
    open: Vec<(Vec<u8>, OwnedFd)>,
    /// Attribute of opaque folders.
    opaque: &'static str,
}

/// A folder that an entry goes into.
pub(super) struct Parent<'a> {
    /// Its descriptor.
    pub(super) fd: BorrowedFd<'a>,
    /// Whether the way to it leads through a symbolic link (which stayed below the root).
    pub(super) through_link: bool,
}

impl Folders {
    pub(super) fn new(root: OwnedFd, opaque: &'static str) -> Self {
        Self { root, open: Vec::new(), opaque }
    }

    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Opens the folder at `path`, making what is missing (mode 0755).
    pub(super) fn open_or_make<'a>(
        &'a mut self,
        path: &[&[u8]],
        linked: &'a mut Option<OwnedFd>,
    ) -> rustix::io::Result<Parent<'a>> {
        let common = self.open.iter().zip(path).take_while(|((name, _), wanted)| name == *wanted).count();
        self.open.truncate(common);
        for (depth, name) in path.iter().enumerate().skip(common) {
            match self.open_or_make_child(name) {
                Ok(fd) => self.open.push((name.to_vec(), fd)),
                Err(Errno::LOOP) => {
                    let folder: &OwnedFd = linked.insert(self.open_through_links(path, depth)?);
                    return Ok(Parent { fd: folder.as_fd(), through_link: true });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Parent { fd: self.deepest(), through_link: false })
    }

    /// Says that a folder was just made and opened below the folder opened last.
    pub(super) fn entered(&mut self, parent: &[&[u8]], name: &[u8], folder: OwnedFd) {
        let is_below = self.open.len() == parent.len();
        if is_below {
            self.open.push((name.to_vec(), folder));
        }
    }

    /// Forgets what is open, because something was removed or replaced.
    pub(super) fn forget(&mut self) {
        self.open.clear();
    }

    fn deepest(&self) -> BorrowedFd<'_> {
        self.open.last().map_or(self.root.as_fd(), |(_, fd)| fd.as_fd())
    }

    fn open_or_make_child(&self, name: &[u8]) -> rustix::io::Result<OwnedFd> {
        match open_child(self.deepest(), name) {
            Err(Errno::NOENT) => {
                mkdirat(self.deepest(), name, Mode::from_raw_mode(0o755))?;
                open_child(self.deepest(), name)
            }
            Err(Errno::NOTDIR) if lookup(self.deepest(), name)?.is_some_and(|stat| is_whiteout(&stat)) => {
                // Hidden below and made anew by what is in it: a folder that shows nothing of the one below.
                unlinkat(self.deepest(), name, AtFlags::empty())?;
                mkdirat(self.deepest(), name, Mode::from_raw_mode(0o755))?;
                let folder = open_child(self.deepest(), name)?;
                fsetxattr(&folder, self.opaque, b"y", XattrFlags::empty())?;
                Ok(folder)
            }
            other => other,
        }
    }

    /// The folder at `path` when the component at `depth` is a symbolic link: the kernel resolves it as if our root were
    /// "/", and what is missing behind the link is made one by one.
    fn open_through_links(&self, path: &[&[u8]], depth: usize) -> rustix::io::Result<OwnedFd> {
        let mut known = depth + 1;
        let mut folder = open_in_root(&self.root, &path[..known].join(&b'/'))?;
        while known < path.len() {
            known += 1;
            folder = match open_in_root(&self.root, &path[..known].join(&b'/')) {
                Err(Errno::NOENT) => {
                    mkdirat(&folder, path[known - 1], Mode::from_raw_mode(0o755))?;
                    open_child(folder.as_fd(), path[known - 1])?
                }
                other => other?,
            };
        }
        Ok(folder)
    }
}

/// Opens the folder at `path` as if `root` were "/".
pub(super) fn open_in_root(root: &OwnedFd, path: &[u8]) -> rustix::io::Result<OwnedFd> {
    openat2(root, path, FOLDER, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS)
}

/// Removes `name` in `parent` with all that is in it, without following a link.
pub(crate) fn remove(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<()> {
    remove_below(parent, name, 0)
}

fn remove_below(parent: BorrowedFd<'_>, name: &[u8], depth: usize) -> rustix::io::Result<()> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) => {}
        other => return other,
    }
    if depth > DEEPEST {
        return Err(Errno::NAMETOOLONG);
    }
    let folder = open_child(parent, name)?;
    for entry in Dir::read_from(&folder)? {
        let entry = entry?;
        if !is_dot(entry.file_name()) {
            remove_below(folder.as_fd(), entry.file_name().to_bytes(), depth + 1)?;
        }
    }
    unlinkat(parent, name, AtFlags::REMOVEDIR)
}

/// Whether it is a folder.
pub(super) fn is_folder(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

/// Whether it is a whiteout of overlayfs: a character device 0:0.
pub(super) fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// Whether it is the entry of a folder itself or of the one above.
pub(super) fn is_dot(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}
