//! The tar of what is at a path, or of all below a root.

use std::{
    collections::HashMap,
    ffi::CStr,
    fs::File,
    io::{self, Write},
    os::fd::{AsFd, BorrowedFd},
};

use rustix::{
    fs::{AtFlags, Dir, FileType, Stat, fgetxattr, flistxattr, readlinkat, statat},
    io::Errno,
};

use super::{
    FilesError,
    root::{self, Root},
    stat::{FileStat, absolute, base, stat},
};
use crate::{
    containers::{Containers, ContainersError},
    images::{Entry, EntryKind, Scribe},
};

/// Deepest tree that is walked: each level holds descriptors, of which the agent has 1024.
const DEEPEST: usize = 200;

impl Containers {
    /// Writes the tar of what is at a path of a container to `out`, which hears first what it is.
    ///
    /// # Errors
    /// If there is no such container, nothing at the path, or it cannot be read.
    pub async fn read_files<W: Write>(
        &self,
        container: &str,
        path: String,
        out: impl FnOnce(FileStat) -> io::Result<W> + Send + 'static,
    ) -> Result<(), ContainersError> {
        self.with_files(container, move |root| {
            let facts = stat(root, &path)?;
            tar(root, &path, out(facts).map_err(FilesError::Gone)?)
        })
        .await?;
        self.tell(&self.find(container)?.now().record, "archive-path", |event| event);
        Ok(())
    }
}

/// Writes the tar of what is at a path, under the last part of the path.
pub(super) fn tar(root: &Root, path: &str, out: impl Write) -> Result<(), FilesError> {
    let path = absolute(path)?;
    let mut walk = Walk::new(root, out);
    let place = root.find_itself(&path)?;
    if rustix::fs::fstat(&place).is_ok_and(|facts| FileType::from_raw_mode(facts.st_mode) == FileType::Directory) {
        // The root's own name would be a slash too many.
        let name = base(&path).trim_start_matches('/').as_bytes();
        let folder = root::readable(&place).map_err(|errno| FilesError::of(&path, errno))?;
        walk.folder(folder.as_fd(), name, 0)?;
    } else {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let parent = root.find(above)?;
        walk.entry(parent.as_fd(), name.as_bytes(), name.as_bytes(), 0)?;
    }
    walk.finish()
}

/// Writes the tar of all below a root, whose names begin at it.
pub(super) fn tar_of_all(root: &Root, out: impl Write) -> Result<(), FilesError> {
    let mut walk = Walk::new(root, out);
    let folder = root::readable(root.find("/")?).map_err(|errno| FilesError::of("/", errno))?;
    for name in names(folder.as_fd()).map_err(failed(b"/"))? {
        walk.entry(folder.as_fd(), &name, &name, 1)?;
    }
    walk.finish()
}

/// What a file may do, as an attribute of it.
pub(super) const CAPABILITY: &[u8] = b"security.capability";

/// Entries on their way into a tar.
pub(super) struct Walk<'a, W> {
    root: &'a Root,
    tar: Scribe<W>,
    /// Files with several names, and the first of them.
    links: HashMap<(u64, u64), Vec<u8>>,
}

impl<'a, W: Write> Walk<'a, W> {
    pub(super) fn new(root: &'a Root, out: W) -> Self {
        Self { root, tar: Scribe::new(out), links: HashMap::new() }
    }

    pub(super) fn finish(self) -> Result<(), FilesError> {
        self.tar.finish().map_err(FilesError::Gone)
    }

    /// What is called `name` in `parent`, as `path`, with all that is in it. What has gone meanwhile is left out.
    pub(super) fn entry(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &[u8],
        path: &[u8],
        depth: usize,
    ) -> Result<(), FilesError> {
        let facts = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(()),
            facts => facts.map_err(failed(path))?,
        };
        if FileType::from_raw_mode(facts.st_mode) == FileType::Directory {
            return match root::child(parent, name) {
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(()),
                folder => self.folder(folder.map_err(failed(path))?.as_fd(), path, depth),
            };
        }
        self.leaf(parent, name, path, &facts)
    }

    /// A folder, as `path`, with all that is in it.
    fn folder(&mut self, folder: BorrowedFd<'_>, path: &[u8], depth: usize) -> Result<(), FilesError> {
        self.folder_alone(folder, path)?;
        if self.root.is_hidden(folder).map_err(failed(path))? {
            return Ok(());
        }
        self.content(folder, path, depth)
    }

    /// A folder without what is in it.
    pub(super) fn folder_alone(&mut self, folder: BorrowedFd<'_>, path: &[u8]) -> Result<(), FilesError> {
        let facts = rustix::fs::fstat(folder).map_err(failed(path))?;
        let name = [path, b"/"].concat();
        let xattrs = self.attributes(folder).map_err(failed(path))?;
        self.put(&Entry { xattrs, ..self.new_entry(EntryKind::Directory, &facts, name) }, io::empty())
    }

    fn content(&mut self, folder: BorrowedFd<'_>, path: &[u8], depth: usize) -> Result<(), FilesError> {
        if depth >= DEEPEST {
            return Err(failed(path)(Errno::NAMETOOLONG));
        }
        for name in names(folder).map_err(failed(path))? {
            self.entry(folder, &name, &[path, b"/", &name].concat(), depth + 1)?;
        }
        Ok(())
    }

    /// A file that is no folder.
    fn leaf(&mut self, parent: BorrowedFd<'_>, name: &[u8], path: &[u8], facts: &Stat) -> Result<(), FilesError> {
        let (major, minor) = (rustix::fs::major(facts.st_rdev), rustix::fs::minor(facts.st_rdev));
        let kind = match FileType::from_raw_mode(facts.st_mode) {
            FileType::RegularFile => return self.regular(parent, name, path),
            FileType::Symlink => EntryKind::Symlink,
            FileType::CharacterDevice => EntryKind::CharDevice,
            FileType::BlockDevice => EntryKind::BlockDevice,
            FileType::Fifo => EntryKind::Fifo,
            // tar has no sockets.
            _ => return Ok(()),
        };
        let mut new = Entry { device: (major, minor), ..self.new_entry(kind, facts, path.to_vec()) };
        if kind == EntryKind::Symlink {
            new.device = (0, 0);
            new.link = match readlinkat(parent, name, Vec::new()) {
                Err(Errno::NOENT | Errno::INVAL) => return Ok(()),
                goal => goal.map_err(failed(path))?.into_bytes(),
            };
        }
        self.put(&new, io::empty())
    }

    fn regular(&mut self, parent: BorrowedFd<'_>, name: &[u8], path: &[u8]) -> Result<(), FilesError> {
        let (file, facts) = match root::file(parent, name) {
            Err(Errno::NOENT | Errno::LOOP | Errno::STALE | Errno::NXIO | Errno::ISDIR) => return Ok(()),
            opened => opened.map_err(failed(path))?,
        };
        if facts.st_nlink > 1 {
            if let Some(first) = self.links.get(&(facts.st_dev, facts.st_ino)) {
                let link = Entry { link: first.clone(), ..self.new_entry(EntryKind::HardLink, &facts, path.to_vec()) };
                return self.put(&link, io::empty());
            }
            self.links.insert((facts.st_dev, facts.st_ino), path.to_vec());
        }
        let size = u64::try_from(facts.st_size).unwrap_or_default();
        let xattrs = self.attributes(&file).map_err(failed(path))?;
        let new = Entry { size, xattrs, ..self.new_entry(EntryKind::File, &facts, path.to_vec()) };
        self.put(&new, File::from(file))
    }

    /// An entry with the owner, permissions and time of a file. dockerd's have no fractions of seconds.
    pub(super) fn new_entry(&self, kind: EntryKind, facts: &Stat, path: Vec<u8>) -> Entry {
        let owners = self.root.owners();
        Entry {
            path,
            link: Vec::new(),
            kind,
            mode: facts.st_mode & 0o7777,
            uid: owners.within(facts.st_uid),
            gid: owners.within(facts.st_gid),
            mtime: (facts.st_mtime, 0),
            size: 0,
            sparse: None,
            device: (0, 0),
            xattrs: Vec::new(),
        }
    }

    fn attributes(&self, file: impl AsFd) -> rustix::io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut found = attributes(file)?;
        for (_, value) in found.iter_mut().filter(|(name, _)| name == CAPABILITY) {
            *value = self.root.owners().capabilities_within(std::mem::take(value));
        }
        Ok(found)
    }

    /// An entry of the caller's making.
    pub(super) fn put(&mut self, entry: &Entry, content: impl io::Read) -> Result<(), FilesError> {
        self.tar.entry(entry, content).map_err(|source| match source.kind() {
            io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => FilesError::Gone(source),
            _ => FilesError::Io { path: String::from_utf8_lossy(&entry.path).into_owned(), source },
        })
    }
}

/// What is in a folder, in order.
pub(super) fn names(folder: BorrowedFd<'_>) -> rustix::io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name: &CStr = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") {
            names.push(name.to_bytes().to_vec());
        }
    }
    names.sort();
    Ok(names)
}

/// Extended attributes that are the file's own: dockerd takes `security.capability` and those of users.
fn attributes(file: impl AsFd) -> rustix::io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut list = vec![0; 64 * 1024];
    let length = match flistxattr(&file, list.as_mut_slice()) {
        Err(Errno::OPNOTSUPP) => 0,
        length => length?,
    };
    let mut attributes = Vec::new();
    for name in list[..length].split(|byte| *byte == 0) {
        if name != CAPABILITY && !name.starts_with(b"user.") {
            continue;
        }
        let mut value = vec![0; 64 * 1024];
        match fgetxattr(&file, name, value.as_mut_slice()) {
            Err(Errno::NODATA) => continue,
            length => value.truncate(length?),
        }
        attributes.push((name.to_vec(), value));
    }
    attributes.sort();
    Ok(attributes)
}

fn failed(path: &[u8]) -> impl Fn(Errno) -> FilesError {
    let path = String::from_utf8_lossy(path).into_owned();
    move |errno| FilesError::of(&path, errno)
}
