//! Why a volume could not be done with as asked, in dockerd's words.

use std::{io, path::PathBuf};

use super::{filters::FilterError, options::OptionError};
use crate::{names, state::StateError};

/// What callers branch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// There is no such thing.
    NotFound,
    /// What was asked for makes no sense.
    Invalid,
    /// It makes sense, and this version cannot do it.
    Unsupported,
    /// It makes sense, at another time.
    Conflict,
    /// The data disk is full.
    Full,
    /// Cove failed.
    Internal,
}

/// Why a volume could not be done with as asked.
#[derive(Debug, thiserror::Error)]
pub enum VolumesError {
    /// There is none of that name.
    #[error("get {0}: no such volume")]
    NoSuchVolume(String),
    /// The name breaks the rule for names.
    #[error(
        "create {0}: {0:?} includes invalid characters for a local volume name, only {rule:?} are allowed. If you intended to pass a host directory, use absolute path",
        rule = names::RULE
    )]
    Name(String),
    /// A name of one character.
    #[error("create {0}: volume name is too short, names should be at least two alphanumeric characters")]
    ShortName(String),
    /// No such driver.
    #[error("create {name}: error looking up volume plugin {driver}: plugin {driver:?} not found")]
    Driver {
        /// Of the volume.
        name: String,
        /// As asked for.
        driver: String,
    },
    /// An option of the driver that cannot be.
    #[error("create {name}")]
    Option {
        /// Of the volume.
        name: String,
        /// Why not.
        #[source]
        source: OptionError,
    },
    /// Containers use it.
    #[error("remove {name}: volume is in use - [{}]", .by.join(", "))]
    InUse {
        /// The volume.
        name: String,
        /// Ids of the containers.
        by: Vec<String>,
    },
    /// Two prunes at once.
    #[error("a prune operation is already running")]
    Pruning,
    /// A filter makes no sense.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// The file system of the volume cannot be mounted.
    #[error("error while mounting volume '{path}': failed to mount local volume")]
    Mount {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What an image has cannot be copied into it.
    #[error("copy what the image has at {target} into volume {name}: {file}")]
    Fill {
        /// The volume.
        name: String,
        /// The path in the container.
        target: String,
        /// At which file.
        file: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// One of its files.
    #[error("cannot {action} {path}")]
    Files {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Its record.
    #[error(transparent)]
    State(#[from] StateError),
    /// A new name.
    #[error(transparent)]
    Random(#[from] names::NoRandomness),
}

impl VolumesError {
    /// What callers branch on.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::NoSuchVolume(_) | Self::Driver { .. } => Kind::NotFound,
            Self::Option { source: OptionError::Unsupported(_), .. } => Kind::Unsupported,
            Self::Name(_) | Self::ShortName(_) | Self::Option { .. } | Self::Filter(_) => Kind::Invalid,
            Self::InUse { .. } | Self::Pruning => Kind::Conflict,
            Self::State(error) if error.is_disk_full() => Kind::Full,
            Self::Files { source, .. } | Self::Fill { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Kind::Full
            }
            Self::Mount { .. } | Self::Fill { .. } | Self::Files { .. } | Self::State(_) | Self::Random(_) => {
                Kind::Internal
            }
        }
    }
}
