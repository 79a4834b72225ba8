//! A folder, shared and mounted in a mount namespace of this thread.

use std::{
    ffi::OsStr,
    fs::File,
    io::{Read as _, Write as _},
    os::{fd::AsRawFd as _, unix::ffi::OsStrExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use cove_shares::{
    host::{
        native::{self, Words},
        unix::UnixFolder,
    },
    ownership::Ownership,
    server::{REPLAYER, Server, Shared},
    watch::{Notice, Replay},
    wire::MAX_MESSAGE_BYTES,
};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount};
use tempfile::TempDir;

pub(crate) struct Mounted {
    host: TempDir,
    point: TempDir,
    server: Arc<Server<UnixFolder>>,
}

/// What is shared, and how; by default a folder, to be written, with owners as they are.
pub(crate) struct How {
    pub(crate) file: Option<&'static str>,
    pub(crate) read_only: bool,
    pub(crate) ownership: Ownership,
    /// Whether what happens on the host is told.
    pub(crate) watched: bool,
}

impl Default for How {
    fn default() -> Self {
        Self { file: None, read_only: false, ownership: Ownership::AsTheyAre, watched: false }
    }
}

pub(crate) const MAPPED: Ownership = Ownership::Mapped { host: (0, 0), guest: (1000, 1001) };

impl Mounted {
    pub(crate) fn folder() -> Self {
        Self::new(How::default(), |_| {})
    }

    /// Shares a folder that is filled before.
    pub(crate) fn new(how: How, fill: impl FnOnce(&Path)) -> Self {
        assert!(rustix::process::geteuid().is_root(), "these tests mount: run them as root");
        let (host, point) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fill(host.path());
        let (watcher, words) = native::watcher();
        let shared = Shared {
            folder: UnixFolder::open_path(host.path()).unwrap(),
            file: how.file.map(|name| name.as_bytes().into()),
            read_only: how.read_only,
            ownership: how.ownership,
            valid: Duration::ZERO,
            first_node: 0,
            watcher: watcher.filter(|_| how.watched),
        };
        let server = Arc::new(Server::new(shared).unwrap());
        let mounted = Self { host, point, server };
        mounted.mount(&how, words);
        mounted
    }

    fn mount(&self, how: &How, words: Words) {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
        mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE).unwrap();
        let device = File::options().read(true).write(true).open("/dev/fuse").unwrap();
        let checks = if how.ownership == Ownership::AsTheyAre { ",default_permissions" } else { "" };
        let mode = if how.file.is_some() { "100000" } else { "40000" };
        let data = format!("fd={},rootmode={mode},user_id=0,group_id=0,allow_other{checks}", device.as_raw_fd());
        if how.file.is_some() {
            File::create(self.path("file")).unwrap();
        }
        let data = std::ffi::CString::new(data).unwrap();
        mount("share", self.at(how.file.map(|_| "file")), "fuse", MountFlags::empty(), Some(&*data)).unwrap();
        let replayer = Arc::new(AtomicU32::new(0));
        for _ in 0..2 {
            let (device, server, replayer) =
                (device.try_clone().unwrap(), Arc::clone(&self.server), Arc::clone(&replayer));
            std::thread::spawn(move || pump(device, &server, &replayer));
        }
        if how.watched {
            let (server, point) = (Arc::downgrade(&self.server), self.point.path().to_owned());
            std::thread::spawn(move || tell(device, &server, words, &point, &replayer));
        }
    }

    fn at(&self, file: Option<&str>) -> PathBuf {
        file.map_or_else(|| self.point.path().to_owned(), |file| self.path(file))
    }

    /// A path below the mount.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.point.path().join(below)
    }

    /// The same on the host.
    pub(crate) fn on_host(&self, below: &str) -> PathBuf {
        self.host.path().join(below)
    }

    pub(crate) fn server(&self) -> &Server<UnixFolder> {
        &self.server
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        for path in [self.path("file"), self.point.path().to_owned()] {
            let _not_mounted = unmount(&path, UnmountFlags::DETACH);
        }
    }
}

/// Until it is unmounted.
fn pump(mut device: File, server: &Server<UnixFolder>, replayer: &AtomicU32) {
    let mut message = vec![0; MAX_MESSAGE_BYTES];
    while let Ok(length) = device.read(&mut message) {
        if message[32..36] == replayer.load(Ordering::SeqCst).to_le_bytes() {
            message[32..36].copy_from_slice(&REPLAYER.to_le_bytes());
        }
        if let Some(answer) = server.answer(&message[..length]).unwrap() {
            // An answer that nobody waits for any more is refused.
            let _interrupted = device.write(&answer);
        }
    }
}

/// What the guest's agent does: notices go to the kernel, and what happened on the host is done again.
fn tell(mut device: File, server: &Weak<Server<UnixFolder>>, mut words: Words, point: &Path, replayer: &AtomicU32) {
    while let (Some(word), Some(server)) = (words.hear(), server.upgrade()) {
        for notice in server.news(word) {
            match notice {
                // A name that the kernel does not know is no error.
                Notice::Message(message) => drop(device.write(&message)),
                Notice::Replay(replay) => {
                    server.replays(Some(replay.clone()));
                    replayer.store(rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs(), Ordering::SeqCst);
                    again(point, replay);
                    replayer.store(0, Ordering::SeqCst);
                    server.replays(None);
                }
            }
        }
    }
}

fn again(point: &Path, replay: Replay) {
    use rustix::fs::{AtFlags, CWD, FileType, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
    let path = |below: &[u8]| point.join(OsStr::from_bytes(below));
    let touch = |below: &[u8], looked| {
        let time = |nanos| Timespec { tv_sec: 0, tv_nsec: nanos };
        let times = Timestamps { last_access: time(looked), last_modification: time(UTIME_NOW) };
        rustix::fs::utimensat(CWD, path(below), &times, AtFlags::SYMLINK_NOFOLLOW)
    };
    let done = match replay {
        Replay::Make { path: below, mode, .. } => match FileType::from_raw_mode(mode) {
            FileType::Directory => rustix::fs::mkdirat(CWD, path(&below), 0o755.into()),
            FileType::Symlink => rustix::fs::symlinkat("-", CWD, path(&below)),
            kind => rustix::fs::mknodat(CWD, path(&below), kind, 0o644.into(), 0),
        },
        Replay::Remove { path: below, is_folder: true } => rustix::fs::unlinkat(CWD, path(&below), AtFlags::REMOVEDIR),
        Replay::Remove { path: below, .. } => rustix::fs::unlinkat(CWD, path(&below), AtFlags::empty()),
        Replay::Move { from, to } => rustix::fs::renameat(CWD, path(&from), CWD, path(&to)),
        Replay::Touch(below) => touch(&below, UTIME_OMIT),
        Replay::TouchAttributes(below) => touch(&below, UTIME_NOW),
    };
    // What is gone by now comes as the next change.
    assert!(matches!(done, Ok(()) | Err(rustix::io::Errno::NOENT)), "{done:?}");
}
