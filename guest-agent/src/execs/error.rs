//! Why an exec could not be done with as asked, in Docker's words.

use std::io;

use crate::{
    containers::{ContainersError, Kind},
    names,
};

/// Why an exec could not be done with as asked.
#[derive(Debug, thiserror::Error)]
pub enum ExecsError {
    /// No exec has this id.
    #[error("No such exec instance: {0}")]
    NoSuchExec(String),
    /// It has no program.
    #[error("No exec command specified")]
    NoCommand,
    /// It runs.
    #[error("Error: Exec command {0} is already running")]
    AlreadyRunning(String),
    /// It ran.
    #[error("Error: Exec command {0} has already run")]
    AlreadyRun(String),
    /// Nothing starts in what is paused.
    #[error("Container {0} is paused, unpause the container before exec")]
    Paused(String),
    /// It does not run.
    #[error("exec {0} is not running")]
    NotRunning(String),
    /// Its program cannot be started, for a reason that lies in the container.
    #[error("{0}")]
    Program(String),
    /// Its program cannot be started, for a reason that lies in Cove.
    #[error("{0}")]
    Start(String),
    /// Its streams cannot be used.
    #[error("cannot use the streams of the exec")]
    Streams(#[source] io::Error),
    /// The terminal did not take the size.
    #[error("cannot resize the terminal")]
    Resize(#[source] io::Error),
    /// No such keys.
    #[error("Invalid escape keys ({0}) provided")]
    DetachKeys(String),
    /// The client typed the keys that let go of a terminal.
    #[error("read escape sequence")]
    Detached,
    /// Its container.
    #[error(transparent)]
    Container(#[from] ContainersError),
    /// A new id.
    #[error(transparent)]
    Random(#[from] names::NoRandomness),
}

impl ExecsError {
    /// What callers branch on.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::NoSuchExec(_) => Kind::NotFound,
            Self::NoCommand | Self::Program(_) | Self::DetachKeys(_) => Kind::Invalid,
            Self::AlreadyRunning(_) | Self::AlreadyRun(_) | Self::NotRunning(_) | Self::Paused(_) => Kind::Conflict,
            Self::Detached => Kind::Detached,
            Self::Container(error) => error.kind(),
            Self::Start(_) | Self::Streams(_) | Self::Resize(_) | Self::Random(_) => Kind::Internal,
        }
    }
}
