//! Ids as a container has them, and as the guest has them.

use rustix::io::Errno;

use super::{IDS, ROOT};

/// Whom the kernel takes for the owner of what belongs to nobody in a user namespace.
const NOBODY: u32 = 65_534;

/// Version of `security.capability`, in its first number beside flags.
const VERSION: u32 = 0xff00_0000;
const VERSION_2: u32 = 0x0200_0000;
const VERSION_3: u32 = 0x0300_0000;

/// By which ids the guest sees the files of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Owners {
    /// By the container's own.
    #[default]
    Own,
    /// By those that its user namespace maps them to.
    Mapped,
}

impl Owners {
    /// The container's id for one of the guest's.
    #[must_use]
    pub fn within(self, id: u32) -> u32 {
        match self {
            Self::Own => id,
            Self::Mapped => id.checked_sub(ROOT).filter(|id| *id < IDS).unwrap_or(NOBODY),
        }
    }

    /// The guest's id for one of the container's.
    ///
    /// # Errors
    /// EINVAL, as of chown(2), if the container has none such.
    pub fn without(self, id: u32) -> rustix::io::Result<u32> {
        match self {
            Self::Own => Ok(id),
            Self::Mapped if id < IDS => Ok(ROOT + id),
            Self::Mapped => Err(Errno::INVAL),
        }
    }

    /// Capabilities of a file as the container reads them: those that are good for its root are good for root.
    #[must_use]
    pub fn capabilities_within(self, value: Vec<u8>) -> Vec<u8> {
        match Capabilities::read(&value) {
            Some(Capabilities { flags, sets, root: Some(ROOT) }) if self == Self::Mapped => {
                Capabilities { flags, sets, root: None }.write()
            }
            _ => value,
        }
    }

    /// Capabilities of a file as the kernel takes them from the guest: those that are to be good for root are to be good for
    /// the container's, which a mount that translates owners wants to hear.
    #[must_use]
    pub fn capabilities_without(self, value: Vec<u8>) -> Vec<u8> {
        match Capabilities::read(&value) {
            Some(Capabilities { flags, sets, root }) if self == Self::Mapped => {
                let root = self.without(root.unwrap_or(0)).ok();
                Capabilities { flags, sets, root: Some(root.unwrap_or(ROOT + NOBODY)) }.write()
            }
            _ => value,
        }
    }
}

/// `security.capability`: two sets, and for which user namespace's root they are good; any's if none is named.
struct Capabilities {
    flags: u32,
    sets: [u8; 16],
    root: Option<u32>,
}

impl Capabilities {
    fn read(value: &[u8]) -> Option<Self> {
        let (magic, rest) = value.split_first_chunk()?;
        let (sets, rest) = rest.split_first_chunk()?;
        let magic = u32::from_le_bytes(*magic);
        let root = match (magic & VERSION, rest) {
            (VERSION_2, []) => None,
            (VERSION_3, root) => Some(u32::from_le_bytes(root.try_into().ok()?)),
            _ => return None,
        };
        Some(Self { flags: magic & !VERSION, sets: *sets, root })
    }

    fn write(&self) -> Vec<u8> {
        let version = if self.root.is_some() { VERSION_3 } else { VERSION_2 };
        let mut value = (version | self.flags).to_le_bytes().to_vec();
        value.extend_from_slice(&self.sets);
        value.extend(self.root.map(u32::to_le_bytes).into_iter().flatten());
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_go_in_and_come_out_the_same() {
        for id in [0, 1, 1000, NOBODY, IDS - 1] {
            assert_eq!(Owners::Mapped.within(Owners::Mapped.without(id).unwrap()), id);
            assert_eq!((Owners::Own.within(id), Owners::Own.without(id)), (id, Ok(id)));
        }
        assert_eq!(Owners::Mapped.without(IDS), Err(Errno::INVAL));
        assert_eq!([0, ROOT - 1, ROOT + IDS].map(|id| Owners::Mapped.within(id)), [NOBODY; 3]);
        assert_eq!(Owners::Own.without(IDS), Ok(IDS));
    }

    #[test]
    fn capabilities_of_the_containers_root_are_roots() {
        let of = |magic: u32, root: &[u8]| [&magic.to_le_bytes()[..], &[7; 16], root].concat();
        let (roots, theirs) = (of(VERSION_2 | 1, &[]), of(VERSION_3 | 1, &ROOT.to_le_bytes()));
        assert_eq!(Owners::Mapped.capabilities_within(theirs.clone()), roots);
        assert_eq!(Owners::Mapped.capabilities_without(roots.clone()), theirs);
        let another = of(VERSION_3, &(ROOT + 5).to_le_bytes());
        assert_eq!(Owners::Mapped.capabilities_without(of(VERSION_3, &5_u32.to_le_bytes())), another);
        for same in [roots.clone(), another, vec![1, 2], of(VERSION_3, &[]), of(VERSION_2, &[0; 4])] {
            assert_eq!(Owners::Mapped.capabilities_within(same.clone()), same);
        }
        assert_eq!(Owners::Own.capabilities_within(theirs.clone()), theirs);
        assert_eq!(Owners::Own.capabilities_without(roots.clone()), roots);
    }
}
