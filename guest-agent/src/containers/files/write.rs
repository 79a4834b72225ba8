//! A tar into a folder of a container, by the rules of moby's `archive.Unpack`: what is there is replaced, but a folder by
//! a folder; links are data, and lead, where a name of the tar goes over one, within the container.

use std::{
    ffi::OsStr,
    fs::File,
    io::Read,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::PathBuf,
};

use rustix::{
    fs::{
        AtFlags, FileType, Gid, Mode, OFlags, StatVfsMountFlags, Timespec, Timestamps, UTIME_OMIT, Uid, chmodat,
        chownat, fstatvfs, linkat, makedev, mkdirat, mknodat, openat, statat, symlinkat, utimensat,
    },
    io::Errno,
};

use super::{
    FilesError,
    read::CAPABILITY,
    root::{self, Root},
    stat::absolute,
};
use crate::{
    containers::{Containers, ContainersError},
    images::{self, Entry, EntryKind, LayerError, Tape, TapeError},
    users,
};

/// File contents are copied in pieces of this size.
const COPY: usize = 64 << 10;

/// Where a tar goes.
#[derive(Debug, Clone, Default)]
pub struct Destination {
    /// A folder of the container.
    pub path: String,
    /// Whether a file may not take the place of a folder, nor a folder that of a file.
    pub keep_kinds: bool,
    /// Whether all belongs to the container's user, whatever the tar says.
    pub owned_by_user: bool,
}

impl Containers {
    /// Unpacks a tar, which may be compressed, into a folder of a container.
    ///
    /// # Errors
    /// If there is no such container or folder, it cannot be written, or the tar is damaged. What was unpacked by then
    /// stays, as with dockerd.
    pub async fn write_files(
        &self,
        container: &str,
        to: Destination,
        tar: impl Read + Send + 'static,
    ) -> Result<(), ContainersError> {
        let entry = self.find(container)?;
        let record = entry.now().record.clone();
        let read_only = record.spec.security.as_ref().is_some_and(|security| security.read_only_rootfs);
        let user = record.spec.user.clone();
        self.with_files(container, move |root| {
            let owner = if to.owned_by_user { owner(root, &user)? } else { None };
            unpack(root, &to, owner, read_only, tar)
        })
        .await?;
        self.tell(&entry.now().record, "extract-to-dir", |event| event);
        Ok(())
    }
}

/// Unpacks into the folder.
pub(super) fn unpack(
    root: &Root,
    to: &Destination,
    owner: Option<(u32, u32)>,
    read_only_root: bool,
    tar: impl Read,
) -> Result<(), FilesError> {
    let path = absolute(&to.path)?;
    let place = root.find(&path)?;
    let facts = rustix::fs::fstat(&place).map_err(|errno| FilesError::of(&path, errno))?;
    if FileType::from_raw_mode(facts.st_mode) != FileType::Directory {
        return Err(FilesError::NotAFolder);
    }
    refuse_read_only(root, &place, &path, read_only_root)?;
    let plain = images::plain(tar).map_err(TapeError::Read).map_err(LayerError::from)?;
    let mut tape = Tape::new(plain, u64::MAX, None);
    let mut unpacker = Unpacker { root, base: path, to, owner, times: Vec::new(), buffer: vec![0; COPY] };
    while let Some(entry) = tape.next_entry().map_err(LayerError::from)? {
        unpacker.entry(entry, &mut tape)?;
    }
    unpacker.set_times();
    Ok(())
}

fn refuse_read_only(root: &Root, place: &OwnedFd, path: &str, read_only_root: bool) -> Result<(), FilesError> {
    let top = root.find("/")?;
    let device = |fd: &OwnedFd| rustix::fs::fstat(fd).map(|facts| facts.st_dev);
    let of = |errno| FilesError::of(path, errno);
    let is_root = device(&top).map_err(of)? == device(place).map_err(of)?;
    if is_root && read_only_root {
        return Err(FilesError::ReadOnlyRoot);
    }
    if fstatvfs(place).map_err(of)?.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Err(if is_root { FilesError::ReadOnlyRoot } else { FilesError::ReadOnlyVolume });
    }
    Ok(())
}

/// Owner and group of what a container's user makes; `None` where it is root by saying nothing.
fn owner(root: &Root, user: &str) -> Result<Option<(u32, u32)>, FilesError> {
    if user.is_empty() {
        return Ok(None);
    }
    let read = |path: &str| -> String {
        let (Ok(folder), Some((_, name))) = (root.find("/etc"), path.rsplit_once('/')) else { return String::new() };
        let Ok((file, _)) = root::file(folder.as_fd(), name.as_bytes()) else { return String::new() };
        let mut text = Vec::new();
        match File::from(file).take(4 << 20).read_to_end(&mut text) {
            Ok(_) => String::from_utf8_lossy(&text).into_owned(),
            Err(_unreadable) => String::new(),
        }
    };
    match users::find(user, &read("/etc/passwd"), &read("/etc/group")) {
        Ok(found) => Ok(Some((found.uid, found.gid))),
        Err(error) => Err(FilesError::User(error.to_string())),
    }
}

struct Unpacker<'a> {
    root: &'a Root,
    /// The folder, as a path of the container.
    base: String,
    to: &'a Destination,
    owner: Option<(u32, u32)>,
    /// Folders' times are set last: every entry made in a folder changes them.
    times: Vec<(OwnedFd, (i64, u32))>,
    buffer: Vec<u8>,
}

impl Unpacker<'_> {
    fn entry<R: Read>(&mut self, mut entry: Entry, tape: &mut Tape<R>) -> Result<(), FilesError> {
        if let Some((uid, gid)) = self.owner {
            (entry.uid, entry.gid) = (uid, gid);
        }
        let failed = failed(&entry.path);
        let owners = self.root.owners();
        let owner = owners.without(entry.uid).and_then(|uid| Ok((uid, owners.without(entry.gid)?)));
        (entry.uid, entry.gid) = owner.map_err(&failed)?;
        for (_, value) in entry.xattrs.iter_mut().filter(|(name, _)| name == CAPABILITY) {
            *value = owners.capabilities_without(std::mem::take(value));
        }
        let path = components(&entry.path)?;
        let Some((name, above)) = path.split_last() else { return Ok(()) };
        let parent = self.folder(above)?;
        let there = match statat(&parent, *name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => None,
            facts => Some(FileType::from_raw_mode(facts.map_err(&failed)?.st_mode) == FileType::Directory),
        };
        let is_folder = entry.kind == EntryKind::Directory;
        if let Some(was_folder) = there {
            if self.to.keep_kinds && was_folder != is_folder {
                return Err(self.other_kind(&entry.path, was_folder));
            }
            if !(was_folder && is_folder) {
                images::remove_below(parent.as_fd(), name).map_err(&failed)?;
            }
        }
        let made = self.make(parent.as_fd(), name, &entry, there == Some(true), tape);
        made.map_err(|error| match error {
            MakeError::Here(errno) => failed(errno),
            MakeError::Tar(error) => error,
        })
    }

    fn folder(&self, above: &[&[u8]]) -> Result<OwnedFd, FilesError> {
        let below: PathBuf = above.iter().map(|part| OsStr::from_bytes(part)).collect();
        let made = self.root.folder_or_make(&self.base, &below);
        made.map_err(|errno| failed(below.as_os_str().as_bytes())(errno))
    }

    fn other_kind(&self, path: &[u8], was_folder: bool) -> FilesError {
        let word = |is_folder| if is_folder { "directory" } else { "non-directory" };
        let path = String::from_utf8_lossy(path).trim_end_matches('/').to_owned();
        let folder = self.base.clone();
        FilesError::Kinds { there: word(was_folder), path, new: word(!was_folder), folder }
    }

    fn make<R: Read>(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &[u8],
        entry: &Entry,
        is_there: bool,
        tape: &mut Tape<R>,
    ) -> Result<(), MakeError> {
        match entry.kind {
            EntryKind::Directory => {
                if !is_there {
                    mkdirat(parent, name, Mode::RWXU)?;
                }
                let folder = root::child(parent, name)?;
                images::set_metadata(folder.as_fd(), entry)?;
                self.times.push((folder, entry.mtime));
                return Ok(());
            }
            EntryKind::File => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let file = File::from(openat(parent, name, flags, Mode::RUSR | Mode::WUSR)?);
                images::copy_data(tape, &file, &mut self.buffer, entry).map_err(MakeError::of_copy)?;
                images::set_metadata(file.as_fd(), entry)?;
                rustix::fs::futimens(&file, &times(entry.mtime))?;
                return Ok(());
            }
            EntryKind::HardLink => return self.hard_link(parent, name, entry),
            EntryKind::Symlink => symlinkat(entry.link.as_slice(), parent, name)?,
            EntryKind::CharDevice | EntryKind::BlockDevice | EntryKind::Fifo => {
                let kind = match entry.kind {
                    EntryKind::CharDevice => FileType::CharacterDevice,
                    EntryKind::BlockDevice => FileType::BlockDevice,
                    _ => FileType::Fifo,
                };
                mknodat(parent, name, kind, Mode::RUSR | Mode::WUSR, makedev(entry.device.0, entry.device.1))?;
            }
        }
        let (uid, gid) = (Uid::from_raw(entry.uid), Gid::from_raw(entry.gid));
        chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        if entry.kind != EntryKind::Symlink {
            // What has taken the name since is not followed (fchmodat2, Linux 6.6).
            match chmodat(parent, name, Mode::from_raw_mode(entry.mode), AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::OPNOTSUPP) => {}
                done => done?,
            }
        }
        Ok(utimensat(parent, name, &times(entry.mtime), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Links to what a file of the tar's folder is called now.
    fn hard_link(&self, parent: BorrowedFd<'_>, name: &[u8], entry: &Entry) -> Result<(), MakeError> {
        let refuse = || LayerError::LinkTarget {
            path: String::from_utf8_lossy(&entry.path).into_owned(),
            target: String::from_utf8_lossy(&entry.link).into_owned(),
        };
        let goal = components(&entry.link).map_err(MakeError::Tar)?;
        let Some((goal, above)) = goal.split_last() else { return Err(MakeError::Tar(refuse().into())) };
        let folder = self.folder(above).map_err(MakeError::Tar)?;
        match linkat(&folder, *goal, parent, name, AtFlags::empty()) {
            Err(Errno::NOENT | Errno::XDEV | Errno::PERM) => Err(MakeError::Tar(refuse().into())),
            done => Ok(done?),
        }
    }

    fn set_times(self) {
        for (folder, mtime) in self.times.into_iter().rev() {
            // Somebody of the container may have it mounted or made immutable by now: a time is not worth an error.
            if let Err(error) = rustix::fs::futimens(&folder, &times(mtime)) {
                tracing::debug!(%error, "the time of a folder cannot be set");
            }
        }
    }
}

enum MakeError {
    Here(Errno),
    Tar(FilesError),
}

impl From<Errno> for MakeError {
    fn from(errno: Errno) -> Self {
        Self::Here(errno)
    }
}

impl MakeError {
    fn of_copy(error: LayerError) -> Self {
        Self::Tar(match error {
            LayerError::Io { path, source, .. } => FilesError::Io { path, source },
            tar => tar.into(),
        })
    }
}

fn components(path: &[u8]) -> Result<Vec<&[u8]>, FilesError> {
    let refuse = |source| LayerError::Path { path: String::from_utf8_lossy(path).into_owned(), source };
    Ok(images::clean(path).map_err(refuse)?)
}

fn times((seconds, nanos): (i64, u32)) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: seconds, tv_nsec: nanos.into() },
    }
}

fn failed(path: &[u8]) -> impl Fn(Errno) -> FilesError + use<> {
    let path = String::from_utf8_lossy(path).into_owned();
    move |errno| match errno {
        Errno::ROFS => FilesError::ReadOnlyVolume,
        errno => FilesError::Io { path: path.clone(), source: errno.into() },
    }
}
