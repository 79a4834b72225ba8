//! Files: opened, read, written.

use super::{Server, handles::OpenedFile, lock, names::access};
use crate::{
    errno::Errno,
    host::{Folder, OpenFile as _, Sought},
    wire::answer::Body,
};

/// `FOPEN_KEEP_CACHE`: what the guest has read stays, as long as size and time are as they were.
const KEEP_CACHE: u32 = 1 << 1;
/// `FOPEN_NOFLUSH`: closing takes no message of its own.
const NO_FLUSH: u32 = 1 << 5;
/// A file of which the guest's pages are good.
pub(super) const OPENED: u32 = KEEP_CACHE | NO_FLUSH;

impl<F: Folder> Server<F> {
    pub(super) fn open(&self, node: u64, flags: u32) -> Result<Body, Errno> {
        let (place, found) = self.find(node)?;
        let file = place.folder.open(place.file()?, access(flags))?;
        let attributes = file.attributes()?;
        if attributes.identity != found.identity {
            return Err(Errno::STALE);
        }
        let mut nodes = lock(&self.nodes);
        let heard = nodes.heard(node);
        let same = heard.is_some_and(|heard| {
            (heard.modified, heard.size, heard.identity) == (found.modified, found.size, found.identity)
        });
        nodes.hears(node, &attributes);
        drop(nodes);
        let handle = lock(&self.handles).add_file(node, file);
        Ok(Body::default().opened(handle, if same { OPENED } else { NO_FLUSH }))
    }

    pub(super) fn read(&self, handle: u64, offset: u64, size: u32) -> Result<Body, Errno> {
        let opened = lock(&self.handles).file(handle)?;
        opened.file.read(offset, size).map(Body::of)
    }

    pub(super) fn write(&self, handle: u64, offset: u64, data: &[u8]) -> Result<Body, Errno> {
        let opened = lock(&self.handles).file(handle)?;
        opened.file.write(offset, data)?;
        self.heard_of(&opened);
        Ok(Body::default().u32s(&[u32::try_from(data.len()).unwrap_or(0), 0]))
    }

    /// The guest knows what it has written, and is not to be told of it.
    fn heard_of(&self, opened: &OpenedFile<F>) {
        if let Ok(attributes) = opened.file.attributes() {
            lock(&self.nodes).hears(opened.node, &attributes);
        }
    }

    pub(super) fn sync(&self, handle: u64, data_only: bool) -> Result<Body, Errno> {
        let opened = lock(&self.handles).file(handle)?;
        opened.file.sync(data_only).map(|()| Body::default())
    }

    pub(super) fn close(&self, handle: u64) -> Result<Body, Errno> {
        lock(&self.handles).close(handle);
        Ok(Body::default())
    }

    pub(super) fn allocate(&self, handle: u64, offset: u64, length: u64, mode: u32) -> Result<Body, Errno> {
        let opened = lock(&self.handles).file(handle)?;
        opened.file.allocate(offset, length, mode)?;
        self.heard_of(&opened);
        Ok(Body::default())
    }

    pub(super) fn seek(&self, handle: u64, offset: u64, whence: u32) -> Result<Body, Errno> {
        let sought = match whence {
            3 => Sought::Data,
            4 => Sought::Hole,
            _ => return Err(Errno::INVAL),
        };
        let opened = lock(&self.handles).file(handle)?;
        opened.file.seek(offset, sought).map(|found| Body::default().u64s(&[found]))
    }

    pub(super) fn copy_range(&self, from: (u64, u64), to: (u64, u64), length: u64) -> Result<Body, Errno> {
        let (source, target) = {
            let handles = lock(&self.handles);
            (handles.file(from.0)?, handles.file(to.0)?)
        };
        // The answer has room for 32 bits.
        let copied = source.file.copy_range(from.1, &target.file, to.1, length.min(1 << 30))?;
        self.heard_of(&target);
        Ok(Body::default().u32s(&[u32::try_from(copied).unwrap_or(0), 0]))
    }
}
