//! Why there is no way to the daemon.

use std::{io, path::PathBuf};

use cove_platform::{
    home::HomeError,
    local::{Endpoint, EndpointError},
};

/// Why there is no way to the daemon.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody says where this user's Cove is.
    #[error("find the folder of Cove")]
    Home(#[source] HomeError),
    /// Its folder is unfit.
    #[error("prepare the folder of Cove")]
    Prepare(#[source] HomeError),
    /// Its endpoint cannot exist.
    #[error("find coved")]
    Endpoint(#[from] EndpointError),
    /// Something is there and does not let us in.
    #[error("connect to coved at {endpoint}")]
    Connect {
        /// Where.
        endpoint: Endpoint,
        /// What the system said.
        source: io::Error,
    },
    /// The system does not say where this program is, and so not where the daemon is.
    #[error("find coved")]
    OwnPlace(#[source] io::Error),
    /// The daemon is not where it belongs.
    #[error("no {} beside {}", program.display(), beside.display())]
    NoProgram {
        /// Where it should be.
        program: PathBuf,
        /// This program.
        beside: PathBuf,
    },
    /// The daemon could not be started.
    #[error("start {}", program.display())]
    Spawn {
        /// The daemon.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The daemon ended instead of serving.
    #[error("start {}: {said}", program.display())]
    Ended {
        /// The daemon.
        program: PathBuf,
        /// Its last words, or how it ended.
        said: String,
        /// Where all its words are.
        log: PathBuf,
    },
}

impl ClientError {
    /// What to do about it, if that is known.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::NoProgram { .. } => Some("both belong into one folder, as `make dist` lays them out".to_owned()),
            Self::Ended { log, .. } => Some(format!("its log is {}", log.display())),
            Self::Home(_)
            | Self::Prepare(_)
            | Self::Endpoint(_)
            | Self::Connect { .. }
            | Self::OwnPlace(_)
            | Self::Spawn { .. } => None,
        }
    }
}
