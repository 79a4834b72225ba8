//! Linux's inotify. A folder is watched by its descriptor, so that no path is looked up again; one watch for each folder
//! that the guest has looked into.

use std::{
    collections::{HashMap, HashSet},
    mem::MaybeUninit,
    os::fd::{AsRawFd as _, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
    io::Errno,
    pipe::{PipeFlags, pipe_with},
};

use super::UnixFolder;
use crate::watch::{Event, Watcher, What, Word};

/// How long the first event waits for others: an editor's save is several.
const TOGETHER: Duration = Duration::from_millis(20);

const WATCHED: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::ONLYDIR)
    .union(WatchFlags::EXCL_UNLINK);

/// A watcher of folders.
#[derive(Debug)]
pub struct Inotify {
    descriptor: OwnedFd,
    watches: Mutex<Watches>,
    /// Closed with the watcher, which ends whoever reads.
    _ends: OwnedFd,
}

#[derive(Debug, Default)]
struct Watches {
    nodes: HashMap<i32, u64>,
    numbers: HashMap<u64, i32>,
    refused: bool,
}

/// Reads what a watcher sees; ends with it.
#[derive(Debug)]
pub struct Words {
    watcher: std::sync::Weak<Inotify>,
    descriptor: OwnedFd,
    end: OwnedFd,
}

/// A watcher, and what it says.
///
/// # Errors
/// If the system lets this user have no more of them.
pub fn watcher() -> Result<(Arc<Inotify>, Words), Errno> {
    let descriptor = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    let (end, ends) = pipe_with(PipeFlags::CLOEXEC)?;
    let reads = rustix::io::fcntl_dupfd_cloexec(&descriptor, 0)?;
    let watcher = Arc::new(Inotify { descriptor, watches: Mutex::default(), _ends: ends });
    let words = Words { watcher: Arc::downgrade(&watcher), descriptor: reads, end };
    Ok((watcher, words))
}

impl Inotify {
    fn watches(&self) -> MutexGuard<'_, Watches> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watcher<UnixFolder> for Inotify {
    fn watch(&self, node: u64, folder: &UnixFolder) {
        let mut watches = self.watches();
        if watches.numbers.contains_key(&node) {
            return;
        }
        let path = format!("/proc/self/fd/{}", folder.0.as_raw_fd());
        match inotify::add_watch(&self.descriptor, path, WATCHED) {
            Ok(number) => {
                watches.nodes.insert(number, node);
                watches.numbers.insert(node, number);
            }
            // Its changes are seen when what the guest knows grows old.
            Err(_) => watches.refused = true,
        }
    }

    fn watches(&self, node: u64) -> bool {
        Inotify::watches(self).numbers.contains_key(&node)
    }

    fn forget(&self, node: u64) {
        let mut watches = Inotify::watches(self);
        if let Some(number) = watches.numbers.remove(&node) {
            watches.nodes.remove(&number);
            // A folder that is gone took its watch along.
            let _gone = inotify::remove_watch(&self.descriptor, number);
        }
    }
}

impl Words {
    /// What was seen next; nothing once the watcher is gone. Blocks.
    pub fn hear(&mut self) -> Option<Word> {
        if !self.wait(None)? {
            return None;
        }
        let mut events = Vec::new();
        loop {
            if !self.read(&mut events)? {
                return Some(Word::TooMuch);
            }
            if !self.wait(Some(TOGETHER))? {
                return Some(Word::Happened(without_repetitions(events)));
            }
        }
    }

    /// Whether there is something to read; nothing once the watcher is gone.
    fn wait(&self, most: Option<Duration>) -> Option<bool> {
        let most = most.and_then(|most| Timespec::try_from(most).ok());
        let mut both = [PollFd::new(&self.descriptor, PollFlags::IN), PollFd::new(&self.end, PollFlags::IN)];
        loop {
            match poll(&mut both, most.as_ref()) {
                Err(Errno::INTR) => {}
                Err(_) => return None,
                Ok(_) if !both[1].revents().is_empty() => return None,
                Ok(ready) => return Some(ready > 0),
            }
        }
    }

    /// Reads what there is; false if some was lost.
    fn read(&self, events: &mut Vec<Event>) -> Option<bool> {
        let watcher = self.watcher.upgrade()?;
        let mut room = [MaybeUninit::uninit(); 16 * 1024];
        let mut reader = Reader::new(&self.descriptor, &mut room);
        let watches = watcher.watches();
        loop {
            match reader.next() {
                Ok(event) if event.events().contains(ReadFlags::QUEUE_OVERFLOW) => return Some(false),
                Ok(event) => {
                    let name = event.file_name().map(|name| name.to_bytes().to_vec());
                    let folder = watches.nodes.get(&event.wd()).copied();
                    if let (Some(folder), Some(name), Some(what)) = (folder, name, what(&event)) {
                        let is_folder = event.events().contains(ReadFlags::ISDIR);
                        events.push(Event { folder, name, what, is_folder });
                    }
                    if reader.is_buffer_empty() {
                        return Some(true);
                    }
                }
                Err(Errno::INTR) => {}
                Err(_) => return Some(true),
            }
        }
    }
}

fn what(event: &inotify::Event<'_>) -> Option<What> {
    let (events, cookie) = (event.events(), event.cookie());
    [
        (ReadFlags::CREATE, What::Came(0)),
        (ReadFlags::MOVED_TO, What::Came(cookie)),
        (ReadFlags::DELETE, What::Went(0)),
        (ReadFlags::MOVED_FROM, What::Went(cookie)),
        (ReadFlags::MODIFY, What::Changed),
        (ReadFlags::ATTRIB, What::Attributes),
    ]
    .into_iter()
    .find_map(|(flag, what)| events.contains(flag).then_some(what))
}

/// A file that is written piece by piece has changed once. What is told of a name stays in its order.
fn without_repetitions(events: Vec<Event>) -> Vec<Event> {
    let mut last: HashSet<Event> = HashSet::new();
    let mut kept = Vec::with_capacity(events.len());
    for event in events {
        if matches!(event.what, What::Changed | What::Attributes) {
            if !last.insert(event.clone()) {
                continue;
            }
        } else {
            last.retain(|other| (other.folder, &other.name) != (event.folder, &event.name));
        }
        kept.push(event);
    }
    kept
}
