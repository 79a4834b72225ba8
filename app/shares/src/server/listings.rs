//! What is in a folder. A listing shows the folder as it was when it was begun: what comes and goes meanwhile neither
//! shows twice nor hides anything else.

use std::sync::Arc;

use super::{Server, lock};
use crate::{
    errno::Errno,
    host::{Entry, Folder},
    wire::{
        answer::Body,
        fields::Name,
        listing::{self, Listing},
    },
};

impl<F: Folder> Server<F> {
    pub(super) fn open_folder(&self, node: u64) -> Result<Body, Errno> {
        self.folder(node)?;
        Ok(Body::default().opened(lock(&self.handles).add_listing(), 0))
    }

    pub(super) fn sync_folder(&self, node: u64) -> Result<Body, Errno> {
        self.folder(node)?.sync().map(|()| Body::default())
    }

    pub(super) fn list(&self, node: u64, handle: u64, offset: u64, size: u32, plus: bool) -> Result<Body, Errno> {
        let open = self.folder(node)?;
        let kept = lock(&self.handles).listing(handle)?;
        let entries = match kept {
            Some(entries) if offset > 0 => entries,
            _ => {
                let entries = Arc::new(open.list()?);
                lock(&self.handles).keep_listing(handle, Arc::clone(&entries));
                entries
            }
        };
        let begin = usize::try_from(offset).map_err(|_| Errno::INVAL)?;
        let mut listing = Listing::new(size);
        for (index, entry) in entries.iter().enumerate().skip(begin) {
            if !listing.fits(&entry.name, plus) {
                break;
            }
            self.push(&mut listing, (&open, node), index, entry, plus);
        }
        Ok(listing.into_body())
    }

    fn push(&self, listing: &mut Listing, (open, folder): (&F, u64), index: usize, entry: &Entry, plus: bool) {
        // A name that the guest's kernel would not take as one cannot be shown.
        let Ok(name) = Name::new(&entry.name) else { return };
        let next = u64::try_from(index).unwrap_or(u64::MAX).saturating_add(1);
        let attributes = if plus || entry.kind.is_none() { open.attributes(Some(name)).ok() } else { None };
        let kind = attributes.map(|known| known.kind).or(entry.kind).map_or(0, crate::host::Kind::number);
        let ino = attributes.map_or(entry.number, |known| self.ino(&known));
        let shown = listing::Entry { ino, next, kind, name: &entry.name };
        let node = plus.then(|| match attributes {
            Some(attributes) => self.entered(open, folder, name, attributes),
            // It is gone by now: node 0 says that nothing is known of it but its name.
            None => Body::default().entry(0, &Default::default(), std::time::Duration::ZERO),
        });
        listing.push(node, shown);
    }
}
