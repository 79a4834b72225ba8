//! What can go wrong with images, and how callers tell the cases apart.

use std::path::PathBuf;

use super::catalogue::CatalogueError;
use super::digest::Digest;
use super::layers::LayerError;
use super::reference::ReferenceError;

/// What a caller does about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// There is no such image.
    NotFound,
    /// The request or the archive is wrong.
    Invalid,
    /// The image is in use, or has other references.
    Conflict,
    /// The data disk is full.
    Full,
    /// The client stopped sending or receiving.
    Cancelled,
    /// Something of the guest's own failed.
    Internal,
}

/// Why an operation on images failed. The text of what a user caused is dockerd's.
#[derive(Debug, thiserror::Error)]
pub enum ImagesError {
    /// No image has this name or id.
    #[error("No such image: {0}")]
    NotFound(String),
    /// A reference is malformed.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// A tag may not carry a digest.
    #[error("refusing to create a tag with a digest reference")]
    TagWithDigest,
    /// "sha256:..." is read as a digest, so it may not be a name.
    #[error("refusing to create an ambiguous tag using digest algorithm as name")]
    AmbiguousTag,
    /// The last reference of an image that a container uses.
    #[error(
        "conflict: unable to remove repository reference \"{reference}\" (must force) - container {container} is using its referenced image {image}"
    )]
    ReferenceInUse {
        /// As the user wrote it.
        reference: String,
        /// Short id.
        container: String,
        /// Short id.
        image: String,
    },
    /// The image may not be deleted.
    #[error("conflict: unable to delete {image} ({}) - {reason}", if *.hard { "cannot be forced" } else { "must be forced" })]
    Undeletable {
        /// Short id.
        image: String,
        /// Whether force would not help.
        hard: bool,
        /// Why.
        reason: String,
    },
    /// A filter of a list that does not exist.
    #[error("invalid filter '{0}'")]
    UnknownFilter(String),
    /// A filter of a list whose value makes no sense.
    #[error("invalid value for filter '{key}': '{value}'")]
    FilterValue {
        /// The filter.
        key: String,
        /// Its value.
        value: String,
    },
    /// `until` may be given once.
    #[error("more than one until filter specified")]
    RepeatedUntil,
    /// One prune at a time.
    #[error("a prune operation is already running")]
    Pruning,
    /// A pattern of the `reference` filter.
    #[error("syntax error in pattern")]
    Pattern,
    /// The archive is not what it says.
    #[error("invalid archive: {0}")]
    Archive(String),
    /// A JSON document of the archive cannot be read.
    #[error("invalid archive: {document}")]
    Document {
        /// Which one.
        document: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A layer of an image that is to be installed.
    #[error("layer {0} of the image has not come")]
    MissingLayer(usize),
    /// What is received under this name is not, or no longer, received.
    #[error("no such receipt: {0}")]
    NoReceipt(String),
    /// A layer that the image does not have.
    #[error("the image has no layer {0}")]
    NoLayer(String),
    /// A layer is not what the manifest says.
    #[error(
        "filesystem layer verification failed for digest {expected}: got {actual}, {actual_bytes} of {expected_bytes} bytes"
    )]
    WrongLayer {
        /// Digest in the manifest.
        expected: Digest,
        /// Size in the manifest.
        expected_bytes: u64,
        /// Digest of what came.
        actual: Digest,
        /// Size of what came.
        actual_bytes: u64,
    },
    /// A reference that is to name a manifest by digest, and does not.
    #[error("invalid digest reference \"{0}\"")]
    NoDigest(String),
    /// The archive holds an image for another operating system.
    #[error("cannot load {0} image on linux")]
    WrongSystem(String),
    /// A layer cannot be unpacked or read back.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// A thread that builds a layer.
    #[error("a builder of layers failed")]
    Builder,
    /// A Dockerfile instruction of an import.
    #[error("{0}")]
    Change(String),
    /// A platform that cannot be.
    #[error("invalid platform \"{0}\"")]
    Platform(String),
    /// The data disk is full.
    #[error(
        "no space left on device: {what} needs at least {needed_bytes} bytes on the data disk, {free_bytes} bytes are free; remove images or containers, or make the disk larger"
    )]
    Full {
        /// What needs the space.
        what: String,
        /// How much it needs at least.
        needed_bytes: u64,
        /// How much there is, without the reserve of the database.
        free_bytes: u64,
    },
    /// The client went away.
    #[error("the client stopped: {0}")]
    Cancelled(String),
    /// The record of images.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// A file of the store.
    #[error("{action} {}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
}

impl ImagesError {
    /// What a caller does about it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::NotFound(_) | Self::NoReceipt(_) | Self::NoLayer(_) => Kind::NotFound,
            Self::Reference(_)
            | Self::TagWithDigest
            | Self::AmbiguousTag
            | Self::UnknownFilter(_)
            | Self::FilterValue { .. }
            | Self::RepeatedUntil
            | Self::Pattern
            | Self::Archive(_)
            | Self::Document { .. }
            | Self::WrongLayer { .. }
            | Self::NoDigest(_)
            | Self::WrongSystem(_)
            | Self::Change(_)
            | Self::Platform(_) => Kind::Invalid,
            Self::Pruning | Self::MissingLayer(_) | Self::ReferenceInUse { .. } | Self::Undeletable { .. } => {
                Kind::Conflict
            }
            Self::Full { .. } => Kind::Full,
            Self::Cancelled(_) => Kind::Cancelled,
            Self::Layer(error) => error.kind(),
            Self::Catalogue(_) | Self::Builder => Kind::Internal,
            Self::Io { source, .. } => io_kind(source),
        }
    }
}

/// The kind of a failed system call on the data disk.
pub(super) fn io_kind(error: &std::io::Error) -> Kind {
    match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => Kind::Full,
        _ => Kind::Internal,
    }
}

/// Names the operation and the path of a failed system call.
pub(super) fn at<'a>(
    action: &'static str,
    path: &'a std::path::Path,
) -> impl FnOnce(std::io::Error) -> ImagesError + use<'a> {
    move |source| ImagesError::Io { action, path: path.to_owned(), source }
}
