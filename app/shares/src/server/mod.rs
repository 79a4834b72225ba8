//! The server of one share, be it a folder or a single file. Messages may be answered on as many threads as there are;
//! no lock is held while the host's files are waited for.
//!
//! * [`nodes`], [`folders`], [`handles`] — what the guest knows, and what is open.
//! * `session` — how it begins.
//! * `names` — look up, make, remove, move, link.
//! * `files` — open, read, write. `listings` — what is in a folder.
//! * `news`, `replay` — what happened on the host, and how programs of the guest hear of it.
//! * `attributes` — attributes, extended ones, room.

mod attributes;
mod files;
pub mod folders;
pub mod handles;
mod listings;
mod names;
mod news;
pub mod nodes;
mod replay;
mod session;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

pub use self::replay::REPLAYER;
use self::{
    folders::Folders,
    handles::Handles,
    nodes::{Nodes, ROOT},
};
use crate::{
    errno::Errno,
    host::{Attributes, Folder, Kind},
    ownership::Ownership,
    watch::{Replay, Watching},
    wire::{
        answer::{self, Body},
        fields::Name,
        message::{self, Header, Malformed},
        operation::Operation,
    },
};

/// What is shared.
#[derive(Debug)]
pub struct Shared<F: Folder> {
    /// The folder; of a single file the one that it is in.
    pub folder: F,
    /// The file's name, if a single file is shared.
    pub file: Option<Box<[u8]>>,
    /// Whether nothing of it may be changed.
    pub read_only: bool,
    /// Whose files they are in the guest.
    pub ownership: Ownership,
    /// How long the guest may believe what it was told.
    pub valid: Duration,
    /// The number of the first node. A server that takes over from another says one that was never given: what the guest
    /// knows by the numbers of the other must not be taken for something else.
    pub first_node: u64,
    /// Who watches the folders that the guest looks into.
    pub watcher: Watching<F>,
}

/// The server of a share.
#[derive(Debug)]
pub struct Server<F: Folder> {
    root: Arc<F>,
    file: Option<Box<[u8]>>,
    read_only: bool,
    ownership: Ownership,
    valid: Duration,
    root_device: u64,
    nodes: Mutex<Nodes>,
    folders: Mutex<Folders<F>>,
    handles: Mutex<Handles<F>>,
    watcher: Watching<F>,
    own: Mutex<news::Own>,
    /// Read by who changes something, until what was changed is noted; written by who compares.
    changing: RwLock<()>,
    /// What the guest's agent does again at present.
    replay: Mutex<Option<Replay>>,
}

/// Where something is on the host: an open folder and a name in it, or the folder itself.
struct Place<F> {
    folder: Arc<F>,
    name: Option<Box<[u8]>>,
}

impl<F> Place<F> {
    fn name(&self) -> Option<Name<'_>> {
        self.name.as_deref().and_then(|name| Name::new(name).ok())
    }

    /// The name of what cannot be the folder itself.
    fn file(&self) -> Result<Name<'_>, Errno> {
        self.name().ok_or(Errno::ISDIR)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<F: Folder> Server<F> {
    /// A server of a share that no guest has mounted yet.
    ///
    /// # Errors
    /// If what is shared cannot be looked at.
    pub fn new(shared: Shared<F>) -> Result<Self, Errno> {
        let Shared { folder, file, read_only, ownership, valid, first_node, watcher } = shared;
        let at = file.as_deref().map(Name::new).transpose()?;
        let attributes = folder.attributes(at)?;
        // Of a single file nothing is watched: what lies beside it is not shared.
        let watcher = watcher.filter(|_| file.is_none());
        if let Some(watcher) = &watcher {
            watcher.watch(ROOT, &folder);
        }
        Ok(Self {
            root: Arc::new(folder),
            file,
            read_only,
            ownership,
            valid,
            root_device: attributes.identity.device,
            nodes: Mutex::new(Nodes::new(&attributes, first_node)),
            folders: Mutex::default(),
            handles: Mutex::default(),
            watcher,
            own: Mutex::default(),
            changing: RwLock::default(),
            replay: Mutex::default(),
        })
    }

    /// How many nodes the guest knows.
    #[must_use]
    pub fn nodes(&self) -> usize {
        lock(&self.nodes).count()
    }

    /// Answers a message of the guest's kernel; nothing where it wants no answer.
    ///
    /// # Errors
    /// If it is no message.
    pub fn answer(&self, bytes: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
        let message = message::parse(bytes)?;
        let header = message.header;
        let outcome = match message.operation {
            Ok(Operation::Forget { forgotten }) => {
                self.forget(&forgotten);
                return Ok(None);
            }
            // The guest waits for no answer; nothing here takes so long that interrupting it would pay.
            Ok(Operation::Interrupt) => return Ok(None),
            Ok(operation) if header.pid == REPLAYER => {
                let answered = self.answer_replay(header.node, &operation);
                answered.unwrap_or_else(|| {
                    if operation.changes() { Err(Errno::ROFS) } else { self.perform(&header, operation) }
                })
            }
            Ok(operation) if self.read_only && operation.changes() => Err(Errno::ROFS),
            Ok(operation) if operation.changes() => {
                let _noted = self.changing.read().unwrap_or_else(PoisonError::into_inner);
                self.perform(&header, operation)
            }
            Ok(operation) => self.perform(&header, operation),
            Err(refused) => Err(refused),
        };
        Ok(Some(answer::answer(header.unique, outcome)))
    }

    fn perform(&self, header: &Header, operation: Operation<'_>) -> Result<Body, Errno> {
        let node = header.node;
        match operation {
            Operation::Init { major, minor, max_readahead, flags } => {
                session::begin(major, minor, max_readahead, flags)
            }
            Operation::Lookup { name } => self.look_up(node, name),
            Operation::GetAttributes { handle } => self.get_attributes(node, handle),
            Operation::SetAttributes { handle, change } => self.set_attributes(node, handle, change),
            Operation::ReadLink => self.read_link(node),
            Operation::SymbolicLink { name, target } => self.symbolic_link(header, name, target),
            Operation::MakeNode { name, mode, device } => self.make_node(header, name, mode, device),
            Operation::MakeFolder { name, mode } => self.make_folder(header, name, mode),
            Operation::Unlink { name } => self.unlink(node, name),
            Operation::RemoveFolder { name } => self.remove_folder(node, name),
            Operation::Rename { name, to, to_name, flags } => self.rename(node, name, to, to_name, flags),
            Operation::Link { node: linked, name } => self.link(linked, node, name),
            Operation::Open { flags } => self.open(node, flags),
            Operation::Create { name, flags, mode } => self.create(header, name, flags, mode),
            Operation::Read { handle, offset, size } => self.read(handle, offset, size),
            Operation::Write { handle, offset, data } => self.write(handle, offset, data),
            Operation::Sync { handle, data_only } => self.sync(handle, data_only),
            Operation::Release { handle } | Operation::ReleaseFolder { handle } => self.close(handle),
            Operation::OpenFolder => self.open_folder(node),
            Operation::ReadFolder { handle, offset, size, plus } => self.list(node, handle, offset, size, plus),
            Operation::SyncFolder => self.sync_folder(node),
            Operation::StatFs => self.space(),
            Operation::GetXattr { name, size } => self.get_xattr(node, name, size),
            Operation::SetXattr { name, value, flags } => self.set_xattr(node, name, value, flags),
            Operation::ListXattr { size } => self.list_xattrs(node, size),
            Operation::RemoveXattr { name } => self.remove_xattr(node, name),
            Operation::Allocate { handle, offset, length, mode } => self.allocate(handle, offset, length, mode),
            Operation::Seek { handle, offset, whence } => self.seek(handle, offset, whence),
            Operation::CopyRange { from, from_offset, to, to_offset, length } => {
                self.copy_range((from, from_offset), (to, to_offset), length)
            }
            Operation::Destroy => Ok(Body::default()),
            // Writes are on the host when they are answered: there is nothing to flush.
            Operation::Flush | Operation::Forget { .. } | Operation::Interrupt => Err(Errno::NOSYS),
        }
    }

    fn forget(&self, forgotten: &[(u64, u64)]) {
        for (node, count) in forgotten {
            if lock(&self.nodes).forget(*node, *count) {
                lock(&self.folders).close(*node);
                if let Some(watcher) = &self.watcher {
                    watcher.forget(*node);
                }
            }
        }
    }

    /// A folder, opened from the one that it is in and so on up to what is shared, each by one name that is not followed.
    fn folder(&self, node: u64) -> Result<Arc<F>, Errno> {
        let mut below = Vec::new();
        let mut present = node;
        let mut folder = loop {
            if present == ROOT {
                if self.file.is_some() {
                    return Err(Errno::NOTDIR);
                }
                break Arc::clone(&self.root);
            }
            if let Some(open) = lock(&self.folders).get(present) {
                break open;
            }
            let (place, identity) = self.place_of_folder(present)?;
            below.push((present, place.name, identity));
            present = place.folder;
        };
        for (node, name, identity) in below.into_iter().rev() {
            folder = Arc::new(folder.folder(Name::new(&name)?)?);
            if folder.attributes(None)?.identity != identity {
                return Err(Errno::STALE);
            }
            lock(&self.folders).keep(node, Arc::clone(&folder));
            if let Some(watcher) = &self.watcher {
                watcher.watch(node, &folder);
            }
        }
        Ok(folder)
    }

    fn place_of_folder(&self, node: u64) -> Result<(nodes::Place, crate::host::Identity), Errno> {
        let nodes = lock(&self.nodes);
        let (identity, kind) = nodes.get(node).ok_or(Errno::STALE)?;
        if kind != Kind::Folder {
            return Err(Errno::NOTDIR);
        }
        // A folder has one name.
        let place = nodes.places(node).pop().ok_or(Errno::STALE)?;
        Ok((place, identity))
    }

    /// Where a node is now, and what the host says of it.
    fn find(&self, node: u64) -> Result<(Place<F>, Attributes), Errno> {
        let (identity, kind) = lock(&self.nodes).get(node).ok_or(Errno::STALE)?;
        if node == ROOT && self.file.is_some() {
            // A file that was replaced by a new one of its name is the file that is shared.
            let place = Place { folder: Arc::clone(&self.root), name: self.file.clone() };
            let attributes = place.folder.attributes(place.name())?;
            return if attributes.kind == Kind::File { Ok((place, attributes)) } else { Err(Errno::STALE) };
        }
        if kind == Kind::Folder {
            let folder = self.folder(node)?;
            let attributes = folder.attributes(None)?;
            return Ok((Place { folder, name: None }, attributes));
        }
        let places = lock(&self.nodes).places(node);
        for nodes::Place { folder, name } in places {
            let Ok(folder) = self.folder(folder) else { continue };
            match folder.attributes(Some(Name::new(&name)?)) {
                Ok(attributes) if attributes.identity == identity => {
                    return Ok((Place { folder, name: Some(name) }, attributes));
                }
                _ => {}
            }
        }
        Err(Errno::STALE)
    }
}
