//! Makes the tree of a layer from its tar, ready to be a lower layer of overlayfs: whiteouts become character devices 0:0,
//! opaque folders get overlayfs's attribute.
//!
//! Where an entry is already there, dockerd's rule holds: a folder over a folder keeps what is in it, all else is
//! replaced. Whiteouts hide what is in the layers below only: beside an entry of the same name in the same layer they
//! change nothing but that a folder becomes opaque, whichever comes first.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags, chownat, fchmod, fchown,
    fsetxattr, futimens, linkat, makedev, mkdirat, mknodat, openat, symlinkat, utimensat,
};
use rustix::io::Errno;

use super::kept::Kept;
use super::path::{clean, display};
use super::tape::{Entry, EntryKind, Tape};
use super::tree::{self, Folders};
use super::whiteout::{self, Name};
use super::{LayerError, Limits, Privilege};

/// File contents are copied in pieces of this size.
const COPY: usize = 256 << 10;

/// Unpacks tars below one root.
pub(super) struct Unpacker<'a> {
    folders: Folders,
    privilege: Privilege,
    limits: &'a Limits,
    /// Folders' times are set last: every entry made in a folder changes them.
    folder_times: Vec<(Vec<u8>, (i64, u32))>,
    entries: u64,
    /// Files that entries took the place of.
    kept: Kept,
    /// Bytes of all files.
    content_bytes: u64,
    buffer: Vec<u8>,
}

impl<'a> Unpacker<'a> {
    pub(super) fn new(root: OwnedFd, kept: Kept, privilege: Privilege, limits: &'a Limits) -> Self {
        Self {
            folders: Folders::new(root, privilege.opaque_attribute()),
            privilege,
            limits,
            folder_times: Vec::new(),
            entries: 0,
            kept,
            content_bytes: 0,
            buffer: vec![0; COPY],
        }
    }

    /// Unpacks all of `tape`. Returns the bytes of all files.
    pub(super) fn run<R: Read>(mut self, tape: &mut Tape<R>) -> Result<u64, LayerError> {
        while let Some(entry) = tape.next_entry()? {
            self.entries += 1;
            if self.entries > self.limits.entries {
                return Err(LayerError::TooManyEntries(self.limits.entries));
            }
            self.entry(&entry, tape)?;
        }
        self.set_folder_times()?;
        Ok(self.content_bytes)
    }

    fn entry<R: Read>(&mut self, entry: &Entry, tape: &mut Tape<R>) -> Result<(), LayerError> {
        let refuse = |source| LayerError::Path { path: display(&entry.path), source };
        let components = clean(&entry.path).map_err(refuse)?;
        let Some((name, parent)) = components.split_last() else {
            return self.root_entry(entry);
        };
        if !parent.iter().all(|folder| whiteout::may_be_folder(folder)) {
            return Err(LayerError::Whiteout(display(&entry.path)));
        }
        match whiteout::classify(name) {
            Name::Plain => self.plain(entry, parent, name, tape),
            Name::Hides(hidden) => self.hide(entry, parent, hidden),
            Name::Opaque => self.make_opaque(entry, parent),
            Name::Bookkeeping => Ok(()),
            Name::Invalid => Err(LayerError::Whiteout(display(&entry.path))),
        }
    }

    /// "./": the root of the layer.
    fn root_entry(&mut self, entry: &Entry) -> Result<(), LayerError> {
        if entry.kind != EntryKind::Directory {
            return Err(LayerError::Root);
        }
        self.folder_times.push((Vec::new(), entry.mtime));
        set_metadata(self.folders.root(), entry, self.privilege).map_err(at("set up", entry))
    }

    fn plain<R: Read>(
        &mut self,
        entry: &Entry,
        parent: &[&[u8]],
        name: &[u8],
        tape: &mut Tape<R>,
    ) -> Result<(), LayerError> {
        let mut linked = None;
        let folder = self.folders.open_or_make(parent, &mut linked).map_err(at("open the folder of", entry))?;
        let there = tree::lookup(folder.fd, name).map_err(at("look up", entry))?;
        let (mut replaced, mut hid_below) = (false, false);
        if let Some(stat) = there {
            if tree::is_folder(&stat) && entry.kind == EntryKind::Directory {
                return self.merge_folder(entry, parent, name, linked);
            }
            hid_below = tree::is_whiteout(&stat);
            self.kept.take_out(folder.fd, name, &stat).map_err(at("replace", entry))?;
            replaced = true;
        }
        let through_link = folder.through_link;
        let path = joined(parent, name);
        match entry.kind {
            EntryKind::Directory => {
                let made = make_folder(folder.fd, name, entry, self.privilege).map_err(at("make", entry))?;
                if hid_below {
                    set_opaque(made.as_fd(), self.privilege).map_err(at("make opaque", entry))?;
                }
                self.folder_times.push((path, entry.mtime));
                if !through_link && !replaced {
                    self.folders.entered(parent, name, made);
                }
            }
            EntryKind::File => {
                let file = create_file(folder.fd, name).map_err(at("make", entry))?;
                if !through_link {
                    let inode = rustix::fs::fstat(&file).map_err(at("look at", entry))?.st_ino;
                    tape.data_is_kept_at(entry, &path, inode)?;
                }
                copy_data(tape, &file, &mut self.buffer, entry)?;
                self.content_bytes += entry.size;
                set_metadata(file.as_fd(), entry, self.privilege).map_err(at("set up", entry))?;
                futimens(&file, &times(entry.mtime)).map_err(at("set the time of", entry))?;
            }
            EntryKind::HardLink => {
                let folder = duplicate(folder.fd).map_err(at("open the folder of", entry))?;
                self.hard_link(entry, &folder, name)?;
            }
            EntryKind::Symlink | EntryKind::CharDevice | EntryKind::BlockDevice | EntryKind::Fifo => {
                make_special(folder.fd, name, entry, self.privilege).map_err(at("make", entry))?;
            }
        }
        if replaced {
            self.folders.forget();
        }
        Ok(())
    }

    /// A folder that an entry before has made, or that was made because something in it came first.
    fn merge_folder(
        &mut self,
        entry: &Entry,
        parent: &[&[u8]],
        name: &[u8],
        mut linked: Option<OwnedFd>,
    ) -> Result<(), LayerError> {
        let folder = self.folders.open_or_make(parent, &mut linked).map_err(at("open the folder of", entry))?;
        let there = tree::open_child(folder.fd, name).map_err(at("open", entry))?;
        set_metadata(there.as_fd(), entry, self.privilege).map_err(at("set up", entry))?;
        self.folder_times.push((joined(parent, name), entry.mtime));
        Ok(())
    }

    fn hard_link(&mut self, entry: &Entry, folder: &OwnedFd, name: &[u8]) -> Result<(), LayerError> {
        let refuse = |source| LayerError::Path { path: display(&entry.link), source };
        let components = clean(&entry.link).map_err(refuse)?;
        let Some((target, target_parent)) = components.split_last() else {
            return Err(LayerError::LinkTarget { path: display(&entry.path), target: display(&entry.link) });
        };
        let missing = |error| match error {
            Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::PERM => {
                LayerError::LinkTarget { path: display(&entry.path), target: display(&entry.link) }
            }
            error => at("link", entry)(error),
        };
        let path = if target_parent.is_empty() { b".".to_vec() } else { target_parent.join(&b'/') };
        let root = duplicate(self.folders.root()).map_err(missing)?;
        let target_folder = tree::open_in_root(&root, &path).map_err(missing)?;
        linkat(&target_folder, *target, folder, name, AtFlags::empty()).map_err(missing)
    }

    /// `.wh.NAME`.
    fn hide(&mut self, entry: &Entry, parent: &[&[u8]], hidden: &[u8]) -> Result<(), LayerError> {
        let mut linked = None;
        let folder = self.folders.open_or_make(parent, &mut linked).map_err(at("open the folder of", entry))?;
        match tree::lookup(folder.fd, hidden).map_err(at("look up", entry))? {
            None => make_whiteout(folder.fd, hidden).map_err(at("make", entry)),
            Some(stat) if tree::is_folder(&stat) => {
                let there = tree::open_child(folder.fd, hidden).map_err(at("open", entry))?;
                set_opaque(there.as_fd(), self.privilege).map_err(at("make opaque", entry))
            }
            Some(_) => Ok(()),
        }
    }

    /// `.wh..wh..opq`.
    fn make_opaque(&mut self, entry: &Entry, parent: &[&[u8]]) -> Result<(), LayerError> {
        let mut linked = None;
        let folder = self.folders.open_or_make(parent, &mut linked).map_err(at("open the folder of", entry))?;
        set_opaque(folder.fd, self.privilege).map_err(at("make opaque", entry))
    }

    fn set_folder_times(&mut self) -> Result<(), LayerError> {
        let root = duplicate(self.folders.root()).map_err(errno("open", b"/"))?;
        for (path, mtime) in self.folder_times.drain(..).rev() {
            let wanted = if path.is_empty() { &b"."[..] } else { &path };
            match tree::open_in_root(&root, wanted) {
                Ok(folder) => futimens(&folder, &times(mtime)).map_err(errno("set the time of", &path))?,
                // Something else has taken its place.
                Err(Errno::NOTDIR | Errno::NOENT | Errno::LOOP) => {}
                Err(error) => return Err(errno("open", &path)(error)),
            }
        }
        Ok(())
    }
}

fn joined(parent: &[&[u8]], name: &[u8]) -> Vec<u8> {
    let mut path = parent.join(&b'/');
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

fn duplicate(fd: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(fd, 0)
}

fn create_file(folder: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(folder, name, flags, Mode::RUSR | Mode::WUSR).map(File::from)
}

/// Copies the data of `entry`, the current one, into an empty file. Holes stay holes.
pub(crate) fn copy_data<R: Read>(
    tape: &mut Tape<R>,
    mut file: &File,
    buffer: &mut [u8],
    entry: &Entry,
) -> Result<(), LayerError> {
    let failed = |source| LayerError::Io { action: "write", path: display(&entry.path), source };
    for run in entry.runs().iter() {
        if run.at > 0 {
            file.seek(SeekFrom::Start(run.at)).map_err(failed)?;
        }
        let mut left = run.bytes;
        while left > 0 {
            let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let count = tape.read_data(&mut buffer[..most])?;
            if count == 0 {
                break;
            }
            file.write_all(&buffer[..count]).map_err(failed)?;
            left -= count as u64;
        }
    }
    if entry.sparse.is_some() { file.set_len(entry.size).map_err(failed) } else { Ok(()) }
}

fn make_folder(
    parent: BorrowedFd<'_>,
    name: &[u8],
    entry: &Entry,
    privilege: Privilege,
) -> rustix::io::Result<OwnedFd> {
    mkdirat(parent, name, Mode::RWXU)?;
    let folder = tree::open_child(parent, name)?;
    set_metadata(folder.as_fd(), entry, privilege)?;
    Ok(folder)
}

/// Owner, permissions and attributes. The owner first: changing it clears set-user-id and file capabilities.
pub(super) fn set_metadata(fd: BorrowedFd<'_>, entry: &Entry, privilege: Privilege) -> rustix::io::Result<()> {
    if privilege == Privilege::Full {
        fchown(fd, Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)))?;
    }
    fchmod(fd, Mode::from_raw_mode(entry.mode))?;
    for (name, value) in &entry.xattrs {
        set_attribute(fd, name, value, privilege)?;
    }
    Ok(())
}

/// Sets an extended attribute of the archive. overlayfs's own steer what a mount shows (redirects, metacopy) and are not
/// an image's to set; those of namespaces that this file system or process does not have are left out, as dockerd does.
fn set_attribute(fd: BorrowedFd<'_>, name: &[u8], value: &[u8], privilege: Privilege) -> rustix::io::Result<()> {
    let steers_overlayfs = name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.");
    if steers_overlayfs || name.contains(&0) {
        return Ok(());
    }
    match fsetxattr(fd, name, value, XattrFlags::empty()) {
        Err(Errno::OPNOTSUPP) => Ok(()),
        Err(Errno::PERM) if privilege == Privilege::None || name.starts_with(b"user.") => Ok(()),
        other => other,
    }
}

fn set_opaque(folder: BorrowedFd<'_>, privilege: Privilege) -> rustix::io::Result<()> {
    fsetxattr(folder, privilege.opaque_attribute(), b"y", XattrFlags::empty())
}

fn make_whiteout(folder: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<()> {
    mknodat(folder, name, FileType::CharacterDevice, Mode::empty(), makedev(0, 0))
}

/// A symbolic link, device or named pipe.
fn make_special(folder: BorrowedFd<'_>, name: &[u8], entry: &Entry, privilege: Privilege) -> rustix::io::Result<()> {
    let node = |kind| {
        let device = makedev(entry.device.0, entry.device.1);
        mknodat(folder, name, kind, Mode::from_raw_mode(entry.mode), device)
    };
    match entry.kind {
        EntryKind::CharDevice => node(FileType::CharacterDevice)?,
        EntryKind::BlockDevice => node(FileType::BlockDevice)?,
        EntryKind::Fifo => node(FileType::Fifo)?,
        _ => symlinkat(entry.link.as_slice(), folder, name)?,
    }
    if privilege == Privilege::Full {
        let (uid, gid) = (Uid::from_raw(entry.uid), Gid::from_raw(entry.gid));
        chownat(folder, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    }
    if entry.kind != EntryKind::Symlink {
        // mknod's mode went through the umask, and chown may have cleared bits of it. What is called `name` is the node
        // made above: the tree is ours alone until it is renamed into place.
        rustix::fs::chmodat(folder, name, Mode::from_raw_mode(entry.mode), AtFlags::empty())?;
    }
    utimensat(folder, name, &times(entry.mtime), AtFlags::SYMLINK_NOFOLLOW)
}

fn times((seconds, nanos): (i64, u32)) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: seconds, tv_nsec: nanos.into() },
    }
}

fn at(action: &'static str, entry: &Entry) -> impl Fn(Errno) -> LayerError {
    errno(action, &entry.path)
}

fn errno(action: &'static str, path: &[u8]) -> impl Fn(Errno) -> LayerError {
    let path = display(path);
    move |error| LayerError::Io { action, path: path.clone(), source: error.into() }
}
