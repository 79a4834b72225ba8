//! Answers to the guest's kernel, and notices that it did not ask for.

use std::time::Duration;

use super::{MAX_TRANSFER_BYTES, fields::Name};
use crate::{errno::Errno, host::Space};

/// A node's attributes as the guest is to see them: `fuse_attr`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of fuse.h")]
pub struct Attributes {
    pub ino: u64,
    pub size: u64,
    pub blocks: u64,
    pub accessed: (i64, u32),
    pub modified: (i64, u32),
    pub changed: (i64, u32),
    pub mode: u32,
    pub links: u32,
    pub uid: u32,
    pub gid: u32,
    pub device: u32,
}

/// The size of blocks that programs are advised to read.
const BLOCK_BYTES: u32 = 4096;

/// The body of an answer, put together field by field.
#[derive(Debug, Default)]
pub struct Body(Vec<u8>);

impl Body {
    /// The bytes as they are.
    #[must_use]
    pub fn of(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes so far.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Appends numbers of four bytes.
    #[must_use]
    pub fn u32s(mut self, numbers: &[u32]) -> Self {
        self.0.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        self
    }

    /// Appends numbers of eight bytes.
    #[must_use]
    pub fn u64s(mut self, numbers: &[u64]) -> Self {
        self.0.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        self
    }

    /// Appends bytes.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn attributes_fields(self, attributes: &Attributes) -> Self {
        let Attributes { ino, size, blocks, accessed, modified, changed, mode, links, uid, gid, device } = *attributes;
        // A time before 1970 keeps its bits.
        let seconds = [accessed.0, modified.0, changed.0].map(i64::cast_unsigned);
        self.u64s(&[ino, size, blocks]).u64s(&seconds).u32s(&[
            accessed.1,
            modified.1,
            changed.1,
            mode,
            links,
            uid,
            gid,
            device,
            BLOCK_BYTES,
            0,
        ])
    }

    /// `fuse_entry_out`: a name leads to a node. Node 0: it leads nowhere, which may be remembered too.
    #[must_use]
    pub fn entry(self, node: u64, attributes: &Attributes, valid: Duration) -> Self {
        let seconds = valid.as_secs();
        let nanos = valid.subsec_nanos();
        self.u64s(&[node, 0, seconds, seconds]).u32s(&[nanos, nanos]).attributes_fields(attributes)
    }

    /// `fuse_attr_out`.
    #[must_use]
    pub fn attributes(self, attributes: &Attributes, valid: Duration) -> Self {
        self.u64s(&[valid.as_secs()]).u32s(&[valid.subsec_nanos(), 0]).attributes_fields(attributes)
    }

    /// `fuse_open_out`.
    #[must_use]
    pub fn opened(self, handle: u64, flags: u32) -> Self {
        self.u64s(&[handle]).u32s(&[flags, 0])
    }

    /// `fuse_statfs_out`.
    #[must_use]
    pub fn space(self, space: &Space) -> Self {
        self.u64s(&[space.blocks, space.free, space.available, space.files, space.free_files])
            .u32s(&[space.block_bytes, space.name_bytes, space.block_bytes])
            .u32s(&[0; 7])
    }

    /// `fuse_init_out`.
    #[must_use]
    pub fn init(self, minor: u32, max_readahead: u32, flags: u64) -> Self {
        const MAX_BACKGROUND: u32 = 64;
        const CONGESTION: u32 = 48;
        let [low, high] = [flags & u64::from(u32::MAX), flags >> 32].map(|half| u32::try_from(half).unwrap_or(0));
        let pages = MAX_TRANSFER_BYTES / 4096;
        self.u32s(&[super::MAJOR, minor, max_readahead, low, CONGESTION << 16 | MAX_BACKGROUND, MAX_TRANSFER_BYTES, 1])
            .u32s(&[pages, high])
            .u32s(&[0; 7])
    }
}

/// A whole answer.
#[must_use]
pub fn answer(unique: u64, outcome: Result<Body, Errno>) -> Vec<u8> {
    match outcome {
        Ok(Body(body)) => framed(unique, 0, &body),
        Err(Errno(number)) => framed(unique, -number, &[]),
    }
}

/// `fuse_out_header` before a body.
fn framed(unique: u64, error: i32, body: &[u8]) -> Vec<u8> {
    const HEADER_BYTES: usize = 16;
    let length = HEADER_BYTES + body.len();
    let mut bytes = Vec::with_capacity(length);
    // A body is at most a read long, or what a folder's listing was cut to.
    bytes.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(&error.to_le_bytes());
    bytes.extend_from_slice(&unique.to_le_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// Tells the guest to forget what it knows of a node: attributes and, unless `data` is false, contents.
#[must_use]
pub fn forget_node(node: u64, data: bool) -> Vec<u8> {
    const INVALIDATE_INODE: i32 = 2;
    // A negative offset stands for the attributes alone.
    let offset: i64 = if data { 0 } else { -1 };
    framed(0, INVALIDATE_INODE, &Body::default().u64s(&[node, offset.cast_unsigned(), 0]).0)
}

/// Tells the guest to forget what it knows of a name.
#[must_use]
pub fn forget_name(folder: u64, name: Name<'_>) -> Vec<u8> {
    const INVALIDATE_ENTRY: i32 = 3;
    let length = u32::try_from(name.as_bytes().len()).unwrap_or(0);
    framed(
        0,
        INVALIDATE_ENTRY,
        &Body::default().u64s(&[folder]).u32s(&[length, 0]).bytes(name.as_bytes()).bytes(&[0]).0,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_the_lengths_of_fuse_h() {
        let (attributes, second) = (Attributes::default(), Duration::from_secs(1));
        for (body, length) in [
            (Body::default().entry(1, &attributes, second), 128),
            (Body::default().attributes(&attributes, second), 104),
            (Body::default().opened(1, 0), 16),
            (Body::default().space(&Space::default()), 80),
            (Body::default().init(38, 0, 0), 64),
        ] {
            assert_eq!(body.0.len(), length);
        }
    }

    #[test]
    fn a_refusal_is_a_negative_number_and_nothing_else() {
        let bytes = answer(7, Err(Errno::NOENT));
        assert_eq!(bytes, [16, 0, 0, 0, 254, 255, 255, 255, 7, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_notice_names_no_request() {
        let bytes = forget_name(1, Name::new(b"ab").unwrap());
        assert_eq!(bytes[..16], [35, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[16..], [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, b'a', b'b', 0]);
    }
}
