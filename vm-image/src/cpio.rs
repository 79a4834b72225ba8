//! The archive format of an initramfs: cpio "newc", as the kernel's Documentation/driver-api/early-userspace/buffer-format
//! describes it. What is written depends on the entries alone: owner root, times 0, inode numbers counted up.

use anyhow::{Context, Result, bail};

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A folder.
    Dir,
    /// A file with its bytes.
    File(Vec<u8>),
    /// A character device.
    CharDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
}

impl Node {
    fn type_bits(&self) -> u32 {
        match self {
            Self::Dir => 0o040_000,
            Self::File(_) => 0o100_000,
            Self::CharDevice { .. } => 0o020_000,
        }
    }
}

/// An archive in the making.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    inode: u32,
}

impl Writer {
    /// Adds an entry. The kernel makes them in this order, so a folder comes before what is in it.
    ///
    /// # Errors
    /// If the path is not relative and plain, or a file has 4 GiB or more.
    pub fn add(&mut self, path: &str, permissions: u32, node: &Node) -> Result<()> {
        if path.is_empty() || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            bail!("{path:?} is no path for an initramfs");
        }
        self.inode += 1;
        let data: &[u8] = if let Node::File(data) = node { data } else { &[] };
        let device = if let Node::CharDevice { major, minor } = node { (*major, *minor) } else { (0, 0) };
        let links = if matches!(node, Node::Dir) { 2 } else { 1 };
        self.entry(path, node.type_bits() | permissions, links, data, device)
    }

    /// Ends the archive. Its length is a multiple of 4, so that another one may follow directly.
    ///
    /// # Errors
    /// None that entries could cause.
    pub fn finish(mut self) -> Result<Vec<u8>> {
        self.inode = 0;
        self.entry("TRAILER!!!", 0, 1, &[], (0, 0))?;
        Ok(self.bytes)
    }

    fn entry(&mut self, path: &str, mode: u32, links: u32, data: &[u8], device: (u32, u32)) -> Result<()> {
        let size = u32::try_from(data.len()).with_context(|| format!("{path} has 4 GiB or more"))?;
        let name_size = u32::try_from(path.len() + 1).context("the path is too long")?;
        // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
        let fields = [self.inode, mode, 0, 0, links, 0, size, 0, 0, device.0, device.1, name_size, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(data);
        self.pad();
        Ok(())
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_the_header_that_the_kernel_reads() {
        let mut writer = Writer::default();
        writer.add("init", 0o755, &Node::File(b"hello".to_vec())).unwrap();
        let bytes = writer.finish().unwrap();
        let expected = [
            "070701",
            "00000001",
            "000081ed",
            "00000000",
            "00000000",
            "00000001",
            "00000000",
            "00000005",
            "00000000",
            "00000000",
            "00000000",
            "00000000",
            "00000005",
            "00000000",
            "init\0\0hello\0\0\0",
        ]
        .concat();
        assert_eq!(String::from_utf8_lossy(&bytes[..expected.len()]), expected);
        assert!(bytes[expected.len()..].starts_with(b"07070100000000"));
        assert!(bytes.ends_with(b"TRAILER!!!\0\0\0\0"));
        assert_eq!(bytes.len() % 4, 0);
    }

    #[test]
    fn a_device_has_its_numbers() {
        let mut writer = Writer::default();
        writer.add("dev/console", 0o600, &Node::CharDevice { major: 5, minor: 1 }).unwrap();
        let text = String::from_utf8(writer.finish().unwrap()).unwrap();
        assert!(text.starts_with("07070100000001000021800000000000000000000000010000000000000000"), "{text}");
        assert!(text[78..].starts_with("0000000500000001"), "{text}");
    }

    #[test]
    fn paths_that_leave_the_root_are_refused() {
        for path in ["", "/init", "a//b", "../a", "a/./b", "a/"] {
            assert!(Writer::default().add(path, 0o644, &Node::Dir).is_err(), "{path:?}");
        }
    }
}
