//! Layers: from the tar of an image to a folder that overlayfs can use, and back to the very same tar.
//!
//! * [`tape`], [`pax`], [`sparse`] — reading tar, strictly. [`scribe`] — writing it.
//! * [`decompress`] — gzip and zstd.
//! * [`path`], [`tree`] — names and descriptors below a root.
//! * [`whiteout`], [`unpack`] — making the tree.
//! * [`record`], [`kept`] — what else is needed to make the tar again.
//! * [`build`] — all of it in one: a stream in, a folder with `root/` and `tar.record` out, its digest proven.
//!
//! Unpacking uses the `tar` crate for header fields only, never its `unpack`: that resolves paths by name, 13 failing
//! system calls for each file, where this needs six and none that could leave the root.

mod build;
mod decompress;
mod kept;
mod path;
mod pax;
mod record;
mod scribe;
mod sparse;
mod tape;
mod tree;
mod unpack;
mod whiteout;

#[cfg(test)]
mod fuzz_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod sparse_tests;
#[cfg(test)]
mod whiteout_tests;

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

pub(super) use build::build;
pub(crate) use decompress::plain;
pub use path::PathError;
pub(crate) use path::clean;
pub(super) use record::Replay;
pub(crate) use scribe::Scribe;
pub use tape::TapeError;
pub(crate) use tape::{Entry, EntryKind, Tape};

use super::digest::Digest;
use super::error::{Kind, io_kind};

/// Folder of a layer that is its tree.
pub(super) const TREE: &str = "root";
/// File beside it: the record of its tar.
pub(super) const RECORD: &str = "tar.record";

/// Bounds on what an archive may make the agent do.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a layer's tar, uncompressed.
    pub layer_bytes: u64,
    /// Entries of a layer's tar, or members of an archive.
    pub entries: u64,
    /// Layers of an image: overlayfs takes 500 lower folders.
    pub layers: usize,
    /// Bytes of the data disk that loading leaves free, so that the database and containers can go on.
    pub reserved_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { layer_bytes: 64 << 30, entries: 4_000_000, layers: 400, reserved_bytes: 64 << 20 }
    }
}

/// What the process may do to files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    /// Root: owners, devices and `trusted.` attributes as in the archive. What the agent has.
    Full,
    /// A user: files are its own, and overlayfs's attributes are those of a mount with `userxattr`.
    None,
}

impl Privilege {
    /// The attribute that makes a folder opaque for overlayfs.
    pub(crate) fn opaque_attribute(self) -> &'static str {
        match self {
            Self::Full => "trusted.overlay.opaque",
            Self::None => "user.overlay.opaque",
        }
    }
}

/// Why a layer cannot be unpacked or read back.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// Its tar is damaged or not supported.
    #[error(transparent)]
    Tape(#[from] TapeError),
    /// A path of it.
    #[error("path \"{path}\" of the layer")]
    Path {
        /// Which one.
        path: String,
        /// What is wrong with it.
        #[source]
        source: PathError,
    },
    /// The root is something else than a folder.
    #[error("the root of the layer is not a folder")]
    Root,
    /// A whiteout that hides nothing sensible.
    #[error("invalid whiteout \"{0}\"")]
    Whiteout(String),
    /// A hard link to what is not a file of the layer.
    #[error("invalid hardlink \"{path}\" -> \"{target}\"")]
    LinkTarget {
        /// The link.
        path: String,
        /// What it should be.
        target: String,
    },
    /// More entries than allowed.
    #[error("the layer has more than {0} entries")]
    TooManyEntries(u64),
    /// The content is not what the image says.
    #[error("invalid diffID: expected \"{expected}\", got \"{actual}\"")]
    Digest {
        /// What the image says.
        expected: Digest,
        /// What the tar is.
        actual: Digest,
    },
    /// A system call on a file of the layer.
    #[error("{action} \"{path}\"")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path of the layer.
        path: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl LayerError {
    /// What a caller does about it.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Tape(TapeError::Record(source)) => io_kind(source),
            Self::Tape(TapeError::Read(source)) => source_kind(source),
            Self::Io { source, .. } => match (io_kind(source), source.raw_os_error()) {
                // The archive asks for what no file system does: a file in a file, a name that is too long.
                (Kind::Internal, Some(code)) if is_archives_fault(code) => Kind::Invalid,
                (kind, _) => kind,
            },
            Self::Tape(_)
            | Self::Path { .. }
            | Self::Root
            | Self::Whiteout(_)
            | Self::LinkTarget { .. }
            | Self::TooManyEntries(_)
            | Self::Digest { .. } => Kind::Invalid,
        }
    }
}

/// The kind of an error of the bytes' source: a client that went away, a disk that is full, else damaged data.
fn source_kind(error: &io::Error) -> Kind {
    match io_kind(error) {
        Kind::Full => Kind::Full,
        _ if error.kind() == io::ErrorKind::ConnectionAborted => Kind::Cancelled,
        _ if error.raw_os_error().is_some() => Kind::Internal,
        _ => Kind::Invalid,
    }
}

fn is_archives_fault(code: i32) -> bool {
    use rustix::io::Errno;
    matches!(
        Errno::from_raw_os_error(code),
        Errno::NOTDIR
            | Errno::NOENT
            | Errno::EXIST
            | Errno::LOOP
            | Errno::NAMETOOLONG
            | Errno::INVAL
            | Errno::MLINK
            | Errno::FBIG
            | Errno::TOOBIG
            | Errno::RANGE
    )
}

/// What [`build`] gives.
#[cfg(test)]
type BuildResult = Result<build::BuiltLayer, LayerError>;

/// Owner, permissions and attributes of an entry, as root sets them.
pub(crate) fn set_metadata(file: BorrowedFd<'_>, entry: &Entry) -> rustix::io::Result<()> {
    unpack::set_metadata(file, entry, Privilege::Full)
}

/// Removes `name` in `parent` with all that is in it, without following a link.
pub(crate) use tree::remove as remove_below;
pub(crate) use unpack::copy_data;

/// Removes what an interrupted operation left behind; nothing there is fine.
pub(super) fn remove_tree(path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    use std::os::fd::AsFd;
    let parent = tree::open_root(parent)?;
    match tree::remove(parent.as_fd(), std::os::unix::ffi::OsStrExt::as_bytes(name)) {
        Err(rustix::io::Errno::NOENT) => Ok(()),
        other => Ok(other?),
    }
}
