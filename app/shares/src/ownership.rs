//! Whose files they are in the guest.
//!
//! A host that can give files to anybody (a daemon that is root of a Linux host) shows and keeps owners as they are, as
//! dockerd on Linux does, and the guest's kernel checks permissions. Everywhere else the files of this user appear as
//! those of the container's user; what a container makes of owners and permissions that this user cannot make true is
//! noted in an extended attribute beside the file, and shown from there.

use crate::{
    errno::Errno,
    host::{Attributes, Change, Folder, Kind},
    wire::fields::Name,
};

/// Where it is noted.
pub const XATTR: &[u8] = b"user.cove.stat";

/// Whoever is not this user: Linux's overflow id, "nobody".
const NOBODY: u32 = 65534;

/// Whose files they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// As the host has it.
    AsTheyAre,
    /// This user's files are somebody's in the guest.
    Mapped {
        /// This user on the host.
        host: (u32, u32),
        /// User and group in the guest.
        guest: (u32, u32),
    },
}

/// What the guest is to see of it, beyond what the host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Noted {
    uid: u32,
    gid: u32,
    mode: u32,
}

impl Noted {
    fn parse(text: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(text).ok()?.split(':');
        let noted = Self {
            uid: parts.next()?.parse().ok()?,
            gid: parts.next()?.parse().ok()?,
            mode: u32::from_str_radix(parts.next()?, 8).ok()?,
        };
        (parts.next().is_none() && noted.mode <= 0o7777).then_some(noted)
    }

    fn text(self) -> String {
        format!("{}:{}:{:o}", self.uid, self.gid, self.mode)
    }
}

impl Ownership {
    /// Whether the host keeps owners itself.
    #[must_use]
    pub fn is_the_hosts(self) -> bool {
        self == Self::AsTheyAre
    }

    /// The attributes as the guest is to see them.
    pub fn shown<F: Folder>(self, folder: &F, at: Option<Name<'_>>, host: Attributes) -> Attributes {
        let Self::Mapped { .. } = self else { return host };
        match noted(folder, at, &host) {
            Some(Noted { uid, gid, mode }) => Attributes { uid, gid, mode, ..host },
            None => self.mapped(host),
        }
    }

    /// Of a file that is open and has no name any more.
    #[must_use]
    pub fn shown_open(self, host: Attributes) -> Attributes {
        self.mapped(host)
    }

    fn mapped(self, host: Attributes) -> Attributes {
        let Self::Mapped { host: own, guest } = self else { return host };
        let (uid, gid) = if host.uid == own.0 { guest } else { (NOBODY, NOBODY) };
        Attributes { uid, gid, ..host }
    }

    /// What is to be done on the host to make a change true, and what is noted of it.
    ///
    /// # Errors
    /// `PERM` where it can be neither done nor noted: links and devices have no such attributes.
    pub fn change<F: Folder>(self, folder: &F, at: Option<Name<'_>>, change: Change) -> Result<Change, Errno> {
        if self.is_the_hosts() || (change.mode.is_none() && change.uid.is_none() && change.gid.is_none()) {
            return Ok(change);
        }
        let host = folder.attributes(at)?;
        let shown = self.shown(folder, at, host);
        let wanted = Noted {
            uid: change.uid.unwrap_or(shown.uid),
            gid: change.gid.unwrap_or(shown.gid),
            mode: change.mode.unwrap_or(shown.mode),
        };
        let rest = Change { mode: None, uid: None, gid: None, ..change };
        if !can_be_noted(host.kind) {
            let same = (wanted.uid, wanted.gid) == (shown.uid, shown.gid);
            return if same { Ok(Change { mode: change.mode, ..rest }) } else { Err(Errno::PERM) };
        }
        let held = held(host.kind, wanted.mode);
        let mapped = self.mapped(Attributes { mode: held, ..host });
        if (wanted.uid, wanted.gid, wanted.mode) == (mapped.uid, mapped.gid, mapped.mode) {
            forget(folder, at)?;
        } else {
            folder.set_xattr(at, XATTR, wanted.text().as_bytes(), 0)?;
        }
        Ok(Change { mode: (held != host.mode).then_some(held), ..rest })
    }
}

/// Only files and folders have attributes of a user's own, says Linux.
fn can_be_noted(kind: Kind) -> bool {
    matches!(kind, Kind::File | Kind::Folder)
}

/// The mode that the host holds: this user, who acts for the container's root as well, must always get in.
fn held(kind: Kind, mode: u32) -> u32 {
    mode | if kind == Kind::Folder { 0o700 } else { 0o600 }
}

fn noted<F: Folder>(folder: &F, at: Option<Name<'_>>, host: &Attributes) -> Option<Noted> {
    can_be_noted(host.kind).then(|| folder.xattr(at, XATTR).ok().and_then(|text| Noted::parse(&text))).flatten()
}

fn forget<F: Folder>(folder: &F, at: Option<Name<'_>>) -> Result<(), Errno> {
    match folder.remove_xattr(at, XATTR) {
        Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(()),
        Err(refused) => Err(refused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_read_back_and_nonsense_is_not() {
        let noted = Noted { uid: 999, gid: 998, mode: 0o4711 };
        assert_eq!(Noted::parse(noted.text().as_bytes()), Some(noted));
        for nonsense in [&b""[..], b"1:2", b"1:2:9", b"1:2:3:4", b"-1:2:3", b"1:2:77777", b"\xff:1:1"] {
            assert_eq!(Noted::parse(nonsense), None);
        }
    }
}
