//! Ids as a container has them, and as the guest has them.

use rustix::io::Errno;

use super::{IDS, ROOT};

/// Whom the kernel takes for the owner of what belongs to nobody in a user namespace.
const NOBODY: u32 = 65_534;

/// Version and flags of `security.capability`, little-endian, and its length without the root that it is good for.
const CAPABILITY_2: u32 = 0x0200_0000;
const CAPABILITY_3: u32 = 0x0300_0000;
const CAPABILITY_VERSION: u32 = 0xff00_0000;
const CAPABILITY_2_BYTES: usize = 20;

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
    pub fn capabilities_within(self, mut value: Vec<u8>) -> Vec<u8> {
        let version = |value: &[u8]| Some(u32::from_le_bytes(value.first_chunk().copied()?));
        let root = |value: &[u8]| Some(u32::from_le_bytes(value[CAPABILITY_2_BYTES..].first_chunk().copied()?));
        let Some(magic) = version(&value).filter(|magic| magic & CAPABILITY_VERSION == CAPABILITY_3) else {
            return value;
        };
        if self == Self::Mapped && value.len() > CAPABILITY_2_BYTES && root(&value) == Some(ROOT) {
            value.truncate(CAPABILITY_2_BYTES);
            value[..4].copy_from_slice(&(magic & !CAPABILITY_VERSION | CAPABILITY_2).to_le_bytes());
        }
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
        let theirs = of(CAPABILITY_3 | 1, &ROOT.to_le_bytes());
        assert_eq!(Owners::Mapped.capabilities_within(theirs.clone()), of(CAPABILITY_2 | 1, &[]));
        for same in
            [of(CAPABILITY_2 | 1, &[]), of(CAPABILITY_3, &5_u32.to_le_bytes()), vec![1, 2], of(CAPABILITY_3, &[])]
        {
            assert_eq!(Owners::Mapped.capabilities_within(same.clone()), same);
        }
        assert_eq!(Owners::Own.capabilities_within(theirs.clone()), theirs);
    }
}
