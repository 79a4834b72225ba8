//! The tree of files that the guest boots with, sorted, so that the same files make the same archive.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use crate::cpio::{Node, Writer};

/// Folders that PID 1 mounts on or writes to.
const MOUNT_POINTS: [&str; 7] = ["dev", "mnt", "proc", "run", "sys", "tmp", "var/lib/cove"];

/// A tree of files.
#[derive(Debug, Default)]
pub struct Tree {
    entries: BTreeMap<String, (u32, Node)>,
}

impl Tree {
    /// The tree that a guest needs before anything of its own is in it: mount points, and the two devices that a
    /// program uses before /dev is mounted (the kernel opens /dev/console for PID 1).
    ///
    /// # Errors
    /// None that files could cause.
    pub fn with_mount_points() -> Result<Self> {
        let mut tree = Self::default();
        for path in MOUNT_POINTS {
            tree.dir(path)?;
        }
        tree.put("dev/console", 0o600, Node::CharDevice { major: 5, minor: 1 })?;
        tree.put("dev/null", 0o666, Node::CharDevice { major: 1, minor: 3 })?;
        Ok(tree)
    }

    /// Adds a file and the folders above it.
    ///
    /// # Errors
    /// If something else is there already.
    pub fn file(&mut self, path: &str, permissions: u32, bytes: Vec<u8>) -> Result<()> {
        self.put(path, permissions, Node::File(bytes))
    }

    /// Adds a folder and those above it.
    ///
    /// # Errors
    /// If something else is there already.
    pub fn dir(&mut self, path: &str) -> Result<()> {
        self.put(path, 0o755, Node::Dir)
    }

    /// The archive.
    ///
    /// # Errors
    /// If an entry does not fit the format.
    pub fn to_cpio(&self) -> Result<Vec<u8>> {
        let mut writer = Writer::default();
        // A folder sorts before what is in it, because its path is a prefix.
        for (path, (permissions, node)) in &self.entries {
            writer.add(path, *permissions, node)?;
        }
        writer.finish()
    }

    fn put(&mut self, path: &str, permissions: u32, node: Node) -> Result<()> {
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.dir(parent)?;
        }
        let entry = (permissions, node);
        match self.entries.get(path) {
            None => {
                self.entries.insert(path.to_owned(), entry);
                Ok(())
            }
            Some(there) if *there == entry => Ok(()),
            Some(_) => bail!("two different entries for /{path} in the initramfs"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_adding_does_not_matter() {
        let mut one = Tree::with_mount_points().unwrap();
        one.file("lib/b", 0o644, vec![2]).unwrap();
        one.file("init", 0o755, vec![1]).unwrap();
        let mut other = Tree::default();
        other.file("init", 0o755, vec![1]).unwrap();
        other.file("lib/b", 0o644, vec![2]).unwrap();
        other.entries.extend(Tree::with_mount_points().unwrap().entries);
        assert_eq!(one.to_cpio().unwrap(), other.to_cpio().unwrap());
    }

    #[test]
    fn folders_come_before_what_is_in_them() {
        let mut tree = Tree::default();
        tree.file("a/b/c", 0o644, vec![]).unwrap();
        tree.file("a-b", 0o644, vec![]).unwrap();
        assert_eq!(tree.entries.keys().collect::<Vec<_>>(), ["a", "a-b", "a/b", "a/b/c"]);
    }

    #[test]
    fn one_path_holds_one_thing() {
        let mut tree = Tree::default();
        tree.file("a", 0o644, vec![1]).unwrap();
        tree.file("a", 0o644, vec![1]).unwrap();
        assert!(tree.file("a", 0o644, vec![2]).is_err());
        assert!(tree.file("a/b", 0o644, vec![2]).is_err());
    }
}
