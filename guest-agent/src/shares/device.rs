//! A mount's /dev/fuse: messages of the kernel to the host, its answers back.

use std::{
    collections::HashSet,
    fs::File,
    io,
    os::fd::OwnedFd,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use tokio::io::{Interest, unix::AsyncFd};

use super::{Shares, error::SharesError, error::failed};
use crate::sys::watch::watch;

/// The largest message: a write of 1 MiB with its headers. The kernel wants room for it before it says what is to be read.
const MESSAGE_BYTES: usize = (1 << 20) + 4096;

/// `fuse_in_header`.
const HEADER_BYTES: usize = 40;

/// Where it has the thread that asks.
const PID: std::ops::Range<usize> = 32..36;

/// What stands there instead of the agent's.
const REPLAYER: u32 = u32::MAX;

/// Messages that want no answer.
const UNANSWERED: [u32; 3] = [2, 36, 42];

/// The device of a mount.
#[derive(Debug)]
pub(super) struct Device {
    fuse: AsyncFd<OwnedFd>,
    /// What the kernel waits for: by `unique`.
    waiting: Mutex<HashSet<u64>>,
    /// The thread that does again what happened on the host; 0 for none.
    replayer: AtomicU32,
}

impl Device {
    /// Takes over a device by which something is mounted: before that there is nothing that could be waited for.
    pub(super) fn new(fuse: OwnedFd) -> Result<Self, SharesError> {
        let fuse = watch(fuse, Interest::READABLE).map_err(failed("wait for /dev/fuse"))?;
        Ok(Self { fuse, waiting: Mutex::default(), replayer: AtomicU32::new(0) })
    }

    /// This thread does again what happened on the host: until the guard goes, the host answers it as if it were done.
    pub(super) fn replays(&self) -> Replaying<'_> {
        let thread = rustix::thread::gettid().as_raw_nonzero().get();
        self.replayer.store(thread.unsigned_abs(), Ordering::SeqCst);
        Replaying(self)
    }

    /// The kernel says which thread asks; no container has one of the number that says that it is the agent.
    fn mark(&self, message: &mut [u8]) {
        let replayer = self.replayer.load(Ordering::SeqCst);
        if let Some(pid) = message.get_mut(PID)
            && replayer != 0
            && *pid == replayer.to_le_bytes()
        {
            pid.copy_from_slice(&REPLAYER.to_le_bytes());
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The kernel's next message; nothing once it is unmounted.
    async fn message(&self, room: &mut [u8]) -> Option<Vec<u8>> {
        loop {
            let mut ready = self.fuse.readable().await.ok()?;
            let read = ready.try_io(|fuse| Ok(rustix::io::read(fuse.get_ref(), &mut *room)?));
            match read {
                Ok(Ok(length)) => return Some(room[..length].to_vec()),
                // A message that was taken back before it was read, or a signal.
                Ok(Err(error)) if matches!(errno(&error), Some(Errno::NOENT | Errno::INTR)) => {}
                Ok(Err(_unmounted)) => return None,
                Err(_not_ready) => {}
            }
        }
    }

    /// Gives the kernel an answer. One that nobody waits for is dropped: the host answers what it was asked.
    pub(super) fn answer(&self, bytes: &[u8]) {
        let Some(unique) = number(bytes, 8) else { return };
        if self.waiting().remove(&unique) {
            self.write(bytes);
        }
    }

    /// Tells the kernel what it did not ask for. It may wait for pages that it reads from the host, so this blocks.
    pub(super) fn tell(&self, bytes: &[u8]) {
        self.write(bytes);
    }

    fn write(&self, bytes: &[u8]) {
        match rustix::io::write(&self.fuse, bytes) {
            // Interrupted, unmounted, or a name that the kernel does not know: nothing that anybody has to do.
            Ok(_) | Err(Errno::NOENT | Errno::NODEV | Errno::NOTDIR) => {}
            Err(errno) => {
                tracing::warn!(error = %io::Error::from(errno), "the kernel does not take an answer of the host");
            }
        }
    }

    /// Has the kernel ask again what an earlier agent took and did not answer (`FUSE_NOTIFY_RESEND`, Linux 6.9).
    pub(super) fn ask_again(&self) {
        const LENGTH: u32 = 16;
        const RESEND: u32 = 7;
        self.write(&[&LENGTH.to_le_bytes()[..], &RESEND.to_le_bytes(), &[0; 8]].concat());
    }

    /// Nobody answers any more what the kernel waits for.
    pub(super) fn cut(&self) {
        let waiting = std::mem::take(&mut *self.waiting());
        waiting.into_iter().for_each(|unique| self.write(&refusal(unique)));
    }

    /// Remembers a message that wants an answer.
    fn expect(&self, message: &[u8]) {
        let opcode = number(message, 0).map(|both| both >> 32).and_then(|opcode| u32::try_from(opcode).ok());
        if let Some(unique) = number(message, 8)
            && !opcode.is_some_and(|opcode| UNANSWERED.contains(&opcode))
        {
            self.waiting().insert(unique);
        }
    }

    fn refuse(&self, message: &[u8]) {
        if let Some(unique) = number(message, 8)
            && self.waiting().remove(&unique)
        {
            self.write(&refusal(unique));
        }
    }
}

/// As long as it is there, this thread is the one that does again what happened on the host.
#[derive(Debug)]
pub(super) struct Replaying<'a>(&'a Device);

impl Drop for Replaying<'_> {
    fn drop(&mut self) {
        self.0.replayer.store(0, Ordering::SeqCst);
    }
}

/// Passes a mount's messages on until it is unmounted.
pub(super) async fn pump(shares: Shares, mount: u64, device: std::sync::Arc<Device>) {
    let mut room = vec![0; MESSAGE_BYTES];
    while let Some(mut message) = device.message(&mut room).await {
        if message.len() < HEADER_BYTES {
            continue;
        }
        device.mark(&mut message);
        device.expect(&message);
        if let Err(message) = shares.ask_host(mount, message).await {
            device.refuse(&message);
        }
    }
}

/// ENOTCONN, which tells a program that its file system has nobody behind it.
fn refusal(unique: u64) -> Vec<u8> {
    const LENGTH: u32 = 16;
    let error = -Errno::NOTCONN.raw_os_error();
    [&LENGTH.to_le_bytes()[..], &error.to_le_bytes(), &unique.to_le_bytes()].concat()
}

/// Eight bytes of a header.
fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn errno(error: &io::Error) -> Option<Errno> {
    Errno::from_io_error(error)
}

/// A device by which nothing is mounted yet.
pub(super) fn open() -> Result<OwnedFd, SharesError> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
    rustix::fs::open("/dev/fuse", flags, Mode::empty()).map_err(failed("open /dev/fuse"))
}

/// Makes a place for a mount: a folder or a file.
pub(super) fn place(path: &std::path::Path, folder: bool) -> io::Result<()> {
    if folder { std::fs::create_dir_all(path) } else { File::create(path).map(drop) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_header_with_enotconn() {
        assert_eq!(refusal(5), [16, 0, 0, 0, 149, 255, 255, 255, 5, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn bytes_that_are_missing_are_no_number() {
        assert_eq!((number(&[1; 15], 8), number(&[1; 7], 0), number(&[0; 16], 9)), (None, None, None));
        assert_eq!(number(&[2, 0, 0, 0, 0, 0, 0, 0], 0), Some(2));
    }
}
