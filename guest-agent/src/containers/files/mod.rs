//! The files of containers: `docker cp`, `export`, `diff` and `commit`.
//!
//! * [`view`] — the tree that is looked at: of a container that runs, of one that does not. [`root`] — lookups in it.
//! * [`stat`], [`read`], [`write`] — what is at a path; its tar; a tar into it.
//! * [`export`], [`changes`], [`commit`] — all of it; what the image has not; the same as an image.
//!
//! A container's users are hostile: they exchange files for links while this reads and writes. So a path is resolved by
//! the kernel below a descriptor of the root, and from there on one name at a time.

mod changes;
mod commit;
mod export;
mod read;
mod root;
mod stat;
mod view;
mod write;

#[cfg(test)]
mod tests;

use std::io;

use rustix::io::Errno;

pub use self::{
    changes::{Change, ChangeKind},
    commit::Commit,
    stat::FileStat,
    write::Destination,
};
use crate::images::LayerError;

/// Why files cannot be read or written, in dockerd's words.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// There is nothing at the path.
    #[error("Could not find the file {path} in container {container}")]
    NotFound {
        /// The path.
        path: String,
        /// The container, as the caller named it; empty where that is not known yet.
        container: String,
    },
    /// No path was given.
    #[error("bad parameter: pathcannot be empty")]
    NoPath,
    /// What is to be unpacked into is no folder.
    #[error("extraction point is not a directory")]
    NotAFolder,
    /// The root file system cannot be written.
    #[error("container rootfs is marked read-only")]
    ReadOnlyRoot,
    /// The volume cannot be written.
    #[error("mounted volume is marked read-only")]
    ReadOnlyVolume,
    /// A folder would become a file, or the other way round, and the caller does not want that.
    #[error("cannot overwrite {there} {path:?} with {new} {folder:?}")]
    Kinds {
        /// "directory" or "non-directory".
        there: &'static str,
        /// What is there.
        path: String,
        /// "directory" or "non-directory".
        new: &'static str,
        /// Where it is.
        folder: String,
    },
    /// The tar is damaged, or asks for what cannot be.
    #[error(transparent)]
    Tar(#[from] LayerError),
    /// The user of the container is none.
    #[error("{0}")]
    User(String),
    /// A system call on a file of the container.
    #[error("{path}")]
    Io {
        /// Which file.
        path: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The client went away.
    #[error("the client stopped")]
    Gone(#[source] io::Error),
    /// The tree of files cannot be put together.
    #[error("cannot look at the files of the container")]
    View(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl FilesError {
    fn of(path: &str, errno: Errno) -> Self {
        match errno {
            Errno::NOENT => Self::NotFound { path: path.to_owned(), container: String::new() },
            errno => Self::Io { path: path.to_owned(), source: errno.into() },
        }
    }

    /// With the container as the caller named it.
    fn in_container(self, named: &str) -> Self {
        match self {
            Self::NotFound { path, .. } => Self::NotFound { path, container: named.to_owned() },
            other => other,
        }
    }

    /// Whether the caller's path or request is at fault.
    pub(super) fn kind(&self) -> super::Kind {
        use super::Kind;
        match self {
            Self::NotFound { .. } => Kind::NotFound,
            Self::NoPath | Self::NotAFolder | Self::ReadOnlyRoot | Self::ReadOnlyVolume | Self::User(_) => {
                Kind::Invalid
            }
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => Kind::Full,
            Self::Gone(_) => Kind::Unavailable,
            // dockerd has no kind for the others, and clients know their status.
            Self::Kinds { .. } | Self::Tar(_) | Self::Io { .. } | Self::View(_) => Kind::Internal,
        }
    }
}
