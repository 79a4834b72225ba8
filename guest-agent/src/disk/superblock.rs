//! The superblock of ext4, as far as is needed before a mount (kernel: `Documentation/filesystems/ext4/super.rst`).

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::{DiskError, at};

/// How much of the start of a disk must be zero for it to count as new. Partition tables, LUKS, LVM and every usual file
/// system have something there.
const BLANK_BYTES: usize = 1 << 20;
/// Where the superblock is.
const OFFSET: usize = 1024;
const MAGIC: u16 = 0xef53;

const STATE_CLEAN: u16 = 1;
const STATE_ERRORS: u16 = 2;
/// The journal has to be replayed: the disk was not unmounted.
const INCOMPAT_RECOVER: u32 = 0x4;
const INCOMPAT_64BIT: u32 = 0x80;

/// What a disk holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing yet.
    Blank,
    /// Our kind of file system.
    Ext4(Superblock),
    /// Something else.
    Other,
}

/// A superblock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Superblock {
    blocks: u64,
    block_bytes: u64,
    state: u16,
    incompat: u32,
}

/// Reads the start of a disk.
pub(super) fn read(device: &Path) -> Result<Content, DiskError> {
    let mut start = Vec::with_capacity(BLANK_BYTES);
    let file = File::open(device).map_err(at("open", device))?;
    file.take(BLANK_BYTES as u64).read_to_end(&mut start).map_err(at("read", device))?;
    Ok(parse(&start))
}

/// What the start of a disk says of it.
fn parse(start: &[u8]) -> Content {
    if start.iter().all(|byte| *byte == 0) {
        return Content::Blank;
    }
    match start.get(OFFSET..).and_then(Superblock::parse) {
        Some(superblock) => Content::Ext4(superblock),
        None => Content::Other,
    }
}

impl Superblock {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let half = |at: usize| bytes.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes);
        let word = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        if half(0x38)? != MAGIC {
            return None;
        }
        let incompat = word(0x60)?;
        let high = if incompat & INCOMPAT_64BIT == 0 { 0 } else { word(0x150)? };
        Some(Self {
            blocks: u64::from(high) << 32 | u64::from(word(0x4)?),
            block_bytes: 1024_u64.checked_shl(word(0x18)?)?,
            state: half(0x3a)?,
            incompat,
        })
    }

    /// Whether it was not unmounted, or has known errors.
    pub(super) fn needs_check(&self) -> bool {
        self.state & STATE_CLEAN == 0 || self.state & STATE_ERRORS != 0 || self.incompat & INCOMPAT_RECOVER != 0
    }

    /// Whether a disk of so many bytes has room for at least 1 MiB more.
    pub(super) fn is_smaller_than(&self, bytes: u64) -> bool {
        self.blocks.saturating_mul(self.block_bytes).saturating_add(1 << 20) <= bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(state: u16, incompat: u32, blocks: u64) -> Vec<u8> {
        let mut bytes = vec![0; 4096];
        let mut put = |at: usize, value: &[u8]| bytes[OFFSET + at..OFFSET + at + value.len()].copy_from_slice(value);
        put(0x38, &MAGIC.to_le_bytes());
        put(0x3a, &state.to_le_bytes());
        put(0x60, &incompat.to_le_bytes());
        put(0x18, &2_u32.to_le_bytes());
        put(0x4, &u32::try_from(blocks & 0xffff_ffff).unwrap().to_le_bytes());
        put(0x150, &u32::try_from(blocks >> 32).unwrap().to_le_bytes());
        bytes
    }

    fn needs_check(state: u16, incompat: u32) -> bool {
        let Content::Ext4(superblock) = parse(&disk(state, incompat, 1)) else { panic!("not ext4") };
        superblock.needs_check()
    }

    #[test]
    fn zeros_are_blank_and_anything_else_is_not() {
        assert_eq!(parse(&[0; 4096]), Content::Blank);
        assert_eq!(parse(&[]), Content::Blank);
        let mut boot_sector = vec![0; 4096];
        boot_sector[510..512].copy_from_slice(&[0x55, 0xaa]);
        assert_eq!(parse(&boot_sector), Content::Other);
        assert_eq!(parse(&[1]), Content::Other);
    }

    #[test]
    fn a_disk_that_was_not_unmounted_or_has_errors_is_checked() {
        assert!(!needs_check(STATE_CLEAN, 0));
        assert!(needs_check(0, 0));
        assert!(needs_check(STATE_CLEAN | STATE_ERRORS, 0));
        assert!(needs_check(STATE_CLEAN, INCOMPAT_RECOVER));
    }

    #[test]
    fn sizes_are_64_bit_where_the_file_system_is() {
        let Content::Ext4(large) = parse(&disk(1, INCOMPAT_64BIT, 1 << 33)) else { panic!("not ext4") };
        assert!(!large.is_smaller_than(1 << 45) && large.is_smaller_than((1 << 45) + (1 << 20)));
        let Content::Ext4(small) = parse(&disk(1, 0, 1 << 33)) else { panic!("not ext4") };
        assert!(small.is_smaller_than(1 << 20));
    }
}
