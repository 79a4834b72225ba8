//! tmpfs as users ask for it: "size=64m,mode=700,noexec". Options are those that dockerd takes.

use std::os::fd::OwnedFd;

use rustix::{io::Errno, mount::MountAttrFlags};

use super::mounts;

/// A tmpfs to mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tmpfs {
    /// Options of the file system; the last one of a name counts.
    pub options: Vec<(String, String)>,
    /// Attributes of its mount.
    pub attributes: MountAttrFlags,
}

/// Not an option, or one that lacks its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid tmpfs option {0:?}")]
pub struct TmpfsError(pub String);

/// Options with a value.
const VALUED: [&str; 7] = ["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"];

/// How the mount propagates, which is decided elsewhere: dockerd takes these words here and so do we.
const PROPAGATION: [&str; 8] =
    ["private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable"];

/// Reads options; `defaults` are the attributes that hold unless they say otherwise.
///
/// # Errors
/// At the first that is none.
pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>, defaults: MountAttrFlags) -> Result<Tmpfs, TmpfsError> {
    let mut tmpfs = Tmpfs { options: Vec::new(), attributes: defaults };
    for word in words {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        if VALUED.contains(&name) && !value.is_empty() {
            tmpfs.options.push((name.to_owned(), value.to_owned()));
        } else if let Some((attribute, set)) = attribute(word) {
            tmpfs.attributes.set(attribute, set);
        } else if matches!(word, "sync" | "dirsync") {
            tmpfs.options.push((word.to_owned(), String::new()));
        } else if !PROPAGATION.contains(&word) && !matches!(word, "async" | "defaults") {
            return Err(TmpfsError(word.to_owned()));
        }
    }
    Ok(tmpfs)
}

fn attribute(word: &str) -> Option<(MountAttrFlags, bool)> {
    let found = match word {
        "ro" => (MountAttrFlags::MOUNT_ATTR_RDONLY, true),
        "rw" => (MountAttrFlags::MOUNT_ATTR_RDONLY, false),
        "noexec" => (MountAttrFlags::MOUNT_ATTR_NOEXEC, true),
        "exec" => (MountAttrFlags::MOUNT_ATTR_NOEXEC, false),
        "nosuid" => (MountAttrFlags::MOUNT_ATTR_NOSUID, true),
        "suid" => (MountAttrFlags::MOUNT_ATTR_NOSUID, false),
        "nodev" => (MountAttrFlags::MOUNT_ATTR_NODEV, true),
        "dev" => (MountAttrFlags::MOUNT_ATTR_NODEV, false),
        "noatime" => (MountAttrFlags::MOUNT_ATTR_NOATIME, true),
        "atime" | "relatime" => (MountAttrFlags::MOUNT_ATTR_NOATIME | MountAttrFlags::MOUNT_ATTR_STRICTATIME, false),
        "strictatime" => (MountAttrFlags::MOUNT_ATTR_STRICTATIME, true),
        "nodiratime" => (MountAttrFlags::MOUNT_ATTR_NODIRATIME, true),
        "diratime" => (MountAttrFlags::MOUNT_ATTR_NODIRATIME, false),
        _ => return None,
    };
    Some(found)
}

impl Tmpfs {
    /// Whether the mode of its root was asked for.
    #[must_use]
    pub fn has_mode(&self) -> bool {
        self.options.iter().any(|(name, _)| name == "mode")
    }

    /// Makes it, attached nowhere.
    ///
    /// # Errors
    /// What the kernel says; EINVAL for a value that makes no sense.
    pub fn mount(&self) -> Result<OwnedFd, Errno> {
        let options: Vec<_> = self.options.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        mounts::new("tmpfs", &options, self.attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_dockerds_and_override_the_defaults() {
        let asked = parse(["size=64m", "exec", "mode=700", "ro", "rprivate"], mounts::inert()).unwrap();
        assert_eq!(asked.options, [("size".into(), "64m".into()), ("mode".into(), "700".into())]);
        let attributes =
            MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_RDONLY;
        assert_eq!(asked.attributes, attributes);
        assert!(asked.has_mode());
        for wrong in ["zork", "size", "size=", "tmpcopyup", "noexec=1", ""] {
            assert_eq!(parse([wrong], mounts::inert()), Err(TmpfsError(wrong.to_owned())), "{wrong}");
        }
    }
}
