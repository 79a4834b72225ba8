//! Attributes, extended attributes, room.

use super::{Place, Server, lock};
use crate::{
    errno::Errno,
    host::{Attributes, Change, Folder, Moment, OpenFile as _},
    ownership,
    wire::{
        answer::{self, Body},
        fields::Name,
    },
};

impl<F: Folder> Server<F> {
    /// The attributes as the guest is to see them.
    pub(super) fn shown(&self, folder: &F, at: Option<Name<'_>>, host: Attributes) -> answer::Attributes {
        self.encoded(self.ownership.shown(folder, at, host))
    }

    /// A number that no file of another file system below the share has too, as far as 64 bits allow.
    pub(super) fn ino(&self, attributes: &Attributes) -> u64 {
        let identity = attributes.identity;
        if identity.device == self.root_device {
            identity.number
        } else {
            identity.number ^ identity.device.rotate_left(40)
        }
    }

    pub(super) fn encoded(&self, attributes: Attributes) -> answer::Attributes {
        let time = |moment: Moment| (moment.seconds, moment.nanos);
        answer::Attributes {
            ino: self.ino(&attributes),
            size: attributes.size,
            blocks: attributes.blocks,
            accessed: time(attributes.accessed),
            modified: time(attributes.modified),
            changed: time(attributes.changed),
            mode: attributes.kind.number() << 12 | attributes.mode,
            links: attributes.links,
            uid: attributes.uid,
            gid: attributes.gid,
            device: attributes.device,
        }
    }

    pub(super) fn get_attributes(&self, node: u64, handle: Option<u64>) -> Result<Body, Errno> {
        match self.find(node) {
            Ok((place, attributes)) => {
                let shown = self.shown(&place.folder, place.name(), attributes);
                lock(&self.nodes).hears(node, &attributes);
                Ok(Body::default().attributes(&shown, self.valid))
            }
            Err(gone) => self.attributes_of_open(node, handle, gone),
        }
    }

    /// Of a file that has no name any more, and is open.
    fn attributes_of_open(&self, node: u64, handle: Option<u64>, gone: Errno) -> Result<Body, Errno> {
        let opened = {
            let handles = lock(&self.handles);
            handle.and_then(|handle| handles.file(handle).ok()).or_else(|| handles.of_node(node)).ok_or(gone)?
        };
        let shown = self.ownership.shown_open(opened.file.attributes()?);
        Ok(Body::default().attributes(&self.encoded(shown), self.valid))
    }

    pub(super) fn set_attributes(&self, node: u64, handle: Option<u64>, change: Change) -> Result<Body, Errno> {
        let opened = {
            let handles = lock(&self.handles);
            handle.and_then(|handle| handles.file(handle).ok()).or_else(|| handles.of_node(node))
        };
        let found = self.find(node);
        match (&found, &opened) {
            (Ok((place, _)), _) => {
                let on_host = self.ownership.change(&*place.folder, place.name(), change)?;
                // What was opened to be written can be cut whatever its mode is by now.
                match (&opened, handle, on_host.size) {
                    (Some(opened), Some(_), Some(size)) => {
                        opened.file.change(&Change { size: Some(size), ..Change::default() })?;
                        place.folder.change(place.name(), &Change { size: None, ..on_host })?;
                    }
                    _ => place.folder.change(place.name(), &on_host)?,
                }
            }
            (Err(_), Some(opened)) if self.ownership.is_the_hosts() => opened.file.change(&change)?,
            (Err(_), Some(opened)) => opened.file.change(&Change { mode: None, uid: None, gid: None, ..change })?,
            (Err(gone), None) => return Err(*gone),
        }
        self.get_attributes(node, handle)
    }

    pub(super) fn get_xattr(&self, node: u64, xattr: &[u8], size: u32) -> Result<Body, Errno> {
        let place = self.xattr_place(node, xattr)?;
        sized(&place.folder.xattr(place.name(), xattr)?, size)
    }

    pub(super) fn set_xattr(&self, node: u64, xattr: &[u8], value: &[u8], flags: u32) -> Result<Body, Errno> {
        let place = self.xattr_place(node, xattr)?;
        place.folder.set_xattr(place.name(), xattr, value, flags).map(|()| Body::default())
    }

    pub(super) fn remove_xattr(&self, node: u64, xattr: &[u8]) -> Result<Body, Errno> {
        let place = self.xattr_place(node, xattr)?;
        place.folder.remove_xattr(place.name(), xattr).map(|()| Body::default())
    }

    pub(super) fn list_xattrs(&self, node: u64, size: u32) -> Result<Body, Errno> {
        let (place, _) = self.find(node)?;
        let all = place.folder.list_xattrs(place.name())?;
        let shown = all.split_inclusive(|byte| *byte == 0).filter(|name| is_for_guests(&name[..name.len() - 1]));
        sized(&shown.collect::<Vec<_>>().concat(), size)
    }

    fn xattr_place(&self, node: u64, xattr: &[u8]) -> Result<Place<F>, Errno> {
        if !is_for_guests(xattr) {
            return Err(Errno::OPNOTSUPP);
        }
        self.find(node).map(|(place, _)| place)
    }

    pub(super) fn space(&self) -> Result<Body, Errno> {
        self.root.space().map(|space| Body::default().space(&space))
    }
}

/// The user's own. What the host keeps for itself (capabilities, lists of who may what, labels) means something to it, and
/// would be given to its files from within a container; and what is noted of owners is nobody's to see.
fn is_for_guests(xattr: &[u8]) -> bool {
    xattr.starts_with(b"user.") && xattr != ownership::XATTR
}

/// A value, or how long it is.
fn sized(value: &[u8], size: u32) -> Result<Body, Errno> {
    match usize::try_from(size) {
        Ok(0) => Ok(Body::default().u32s(&[u32::try_from(value.len()).unwrap_or(0), 0])),
        Ok(room) if value.len() > room => Err(Errno::RANGE),
        _ => Ok(Body::default().bytes(value)),
    }
}
