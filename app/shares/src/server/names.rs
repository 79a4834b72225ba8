//! Names: looked up, made, removed, moved, linked.

use super::{Server, lock};
use crate::{
    errno::Errno,
    host::{Access, Attributes, Change, Displace, Folder, Kind, OpenFile as _},
    wire::{answer::Body, fields::Name, message::Header, operation::open},
};

const NO_REPLACE: u32 = 1;
const EXCHANGE: u32 = 2;

impl<F: Folder> Server<F> {
    pub(super) fn look_up(&self, folder: u64, name: Name<'_>) -> Result<Body, Errno> {
        let open = self.folder(folder)?;
        match open.attributes(Some(name)) {
            Ok(attributes) => Ok(self.entered(&open, folder, name, attributes)),
            Err(refused) => {
                lock(&self.nodes).leave(folder, name);
                Err(refused)
            }
        }
    }

    /// The guest hears that a name leads to a file.
    pub(super) fn entered(&self, open: &F, folder: u64, name: Name<'_>, host: Attributes) -> Body {
        let shown = self.shown(open, Some(name), host);
        let node = lock(&self.nodes).enter(folder, name, &host);
        Body::default().entry(node, &shown, self.valid)
    }

    /// The guest hears of what it has just had made.
    fn made(&self, open: &F, folder: u64, name: Name<'_>) -> Result<Body, Errno> {
        self.makes(folder, name);
        let attributes = open.attributes(Some(name))?;
        Ok(self.entered(open, folder, name, attributes))
    }

    /// What was made is its maker's, and has the mode that was asked for.
    fn give(&self, open: &F, name: Name<'_>, header: &Header, mode: Option<u32>) -> Result<(), Errno> {
        let keeps_group = open.attributes(None)?.mode & 0o2000 != 0;
        let made = open.attributes(Some(name))?;
        let gid = (!keeps_group).then_some(header.gid);
        let wanted = if self.ownership.is_the_hosts() {
            let same = made.uid == header.uid && gid.is_none_or(|gid| made.gid == gid);
            if same {
                return Ok(());
            }
            // To give a file away takes bits of its mode.
            Change { uid: Some(header.uid), gid, mode: mode.map(|_| made.mode), ..Change::default() }
        } else if mode.is_some() {
            Change { uid: Some(header.uid), gid, mode, ..Change::default() }
        } else {
            return Ok(());
        };
        let on_host = self.ownership.change(open, Some(name), wanted)?;
        open.change(Some(name), &on_host)
    }

    pub(super) fn symbolic_link(&self, header: &Header, name: Name<'_>, target: &[u8]) -> Result<Body, Errno> {
        let open = self.folder(header.node)?;
        open.symbolic_link(name, target)?;
        self.give(&open, name, header, None)?;
        self.made(&open, header.node, name)
    }

    pub(super) fn make_node(&self, header: &Header, name: Name<'_>, mode: u32, device: u32) -> Result<Body, Errno> {
        let open = self.folder(header.node)?;
        let kind = Kind::of_mode(mode);
        if !self.ownership.is_the_hosts() && matches!(kind, Kind::CharDevice | Kind::BlockDevice) {
            return Err(Errno::PERM);
        }
        open.make_node(name, kind, mode & 0o7777, device)?;
        let mode = (kind == Kind::File || self.ownership.is_the_hosts()).then_some(mode & 0o7777);
        self.give(&open, name, header, mode)?;
        self.made(&open, header.node, name)
    }

    pub(super) fn make_folder(&self, header: &Header, name: Name<'_>, mode: u32) -> Result<Body, Errno> {
        let open = self.folder(header.node)?;
        open.make_folder(name, mode)?;
        self.give(&open, name, header, Some(mode & 0o7777))?;
        self.made(&open, header.node, name)
    }

    pub(super) fn create(&self, header: &Header, name: Name<'_>, flags: u32, mode: u32) -> Result<Body, Errno> {
        let folder = self.folder(header.node)?;
        let file = match folder.create(name, access(flags), mode & 0o7777) {
            Ok(file) => {
                self.makes(header.node, name);
                self.give(&folder, name, header, Some(mode & 0o7777))?;
                file
            }
            Err(Errno::EXIST) if flags & open::EXCLUSIVE == 0 => folder.open(name, access(flags))?,
            Err(refused) => return Err(refused),
        };
        let attributes = file.attributes()?;
        let shown = self.shown(&folder, Some(name), attributes);
        let node = lock(&self.nodes).enter(header.node, name, &attributes);
        let handle = lock(&self.handles).add_file(node, file);
        Ok(Body::default().entry(node, &shown, self.valid).opened(handle, super::files::OPENED))
    }

    pub(super) fn unlink(&self, folder: u64, name: Name<'_>) -> Result<Body, Errno> {
        self.folder(folder)?.unlink(name)?;
        self.removes(folder, name);
        lock(&self.nodes).leave(folder, name);
        Ok(Body::default())
    }

    pub(super) fn remove_folder(&self, folder: u64, name: Name<'_>) -> Result<Body, Errno> {
        self.folder(folder)?.remove_folder(name)?;
        self.removes(folder, name);
        let gone = lock(&self.nodes).leave(folder, name);
        if let Some(node) = gone {
            lock(&self.folders).close(node);
        }
        Ok(Body::default())
    }

    pub(super) fn rename(
        &self,
        folder: u64,
        name: Name<'_>,
        to: u64,
        to_name: Name<'_>,
        flags: u32,
    ) -> Result<Body, Errno> {
        let displace = match flags {
            0 => Displace::Replace,
            NO_REPLACE => Displace::Refuse,
            EXCHANGE => Displace::Exchange,
            _ => return Err(Errno::INVAL),
        };
        self.folder(folder)?.rename(name, &*self.folder(to)?, to_name, displace)?;
        if displace == Displace::Exchange {
            self.removes(to, to_name);
            self.makes(folder, name);
        }
        let mut nodes = lock(&self.nodes);
        match displace {
            Displace::Exchange => nodes.exchanged(folder, name, to, to_name),
            // Two names of one file: rename leaves both.
            _ if nodes.at(folder, name).is_some_and(|node| nodes.at(to, to_name) == Some(node)) => {
                return Ok(Body::default());
            }
            _ => nodes.moved(folder, name, to, to_name),
        }
        drop(nodes);
        self.removes(folder, name);
        self.makes(to, to_name);
        Ok(Body::default())
    }

    pub(super) fn link(&self, node: u64, folder: u64, name: Name<'_>) -> Result<Body, Errno> {
        let (place, _) = self.find(node)?;
        let open = self.folder(folder)?;
        open.link(name, &place.folder, place.name().ok_or(Errno::PERM)?)?;
        self.made(&open, folder, name)
    }

    pub(super) fn read_link(&self, node: u64) -> Result<Body, Errno> {
        let (place, attributes) = self.find(node)?;
        if attributes.kind != Kind::SymbolicLink {
            return Err(Errno::INVAL);
        }
        place.folder.read_link(place.file()?).map(Body::of)
    }
}

/// How Linux's flags say a file is to be opened.
pub(super) fn access(flags: u32) -> Access {
    let mode = flags & open::ACCESS;
    Access {
        read: mode != open::WRITE_ONLY,
        write: matches!(mode, open::WRITE_ONLY | open::READ_WRITE),
        append: flags & open::APPEND != 0,
        truncate: flags & open::TRUNCATE != 0,
    }
}
