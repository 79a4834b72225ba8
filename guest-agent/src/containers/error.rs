//! Why a container could not be done with as asked, in Docker's words.

use std::{io, path::PathBuf};

use super::{
    devices::DeviceError, files::FilesError, filters::FilterError, namespaces::JoinError, spec::SpecError,
    sysctls::SysctlError, user_namespaces::UserNamespaceError,
};
use crate::{
    images::ImagesError, logs::LogError, names, networks::NetworksError, processes::SignalError, shares::SharesError,
    state::StateError, volumes::VolumesError,
};

/// What dockerd and the runtime put before what the runtime finds wrong before it makes a process.
const BEFORE_CHECKS: &str =
    "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: ";

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
    /// It makes sense, and is not allowed.
    Forbidden,
    /// The name is in use.
    NameInUse,
    /// The data disk is full.
    Full,
    /// The client let go.
    Detached,
    /// The machine is being stopped.
    Unavailable,
    /// Cove failed.
    Internal,
}

/// Why a container could not be done with as asked.
#[derive(Debug, thiserror::Error)]
pub enum ContainersError {
    /// Who is linked to is not there.
    #[error("could not get container for {0}: No such container: {0}")]
    NoSuchLink(String),
    /// A link is to be removed, and it is a container's own name.
    #[error("Conflict, cannot remove the default link name of the container")]
    OwnName,
    /// Who is linked to does not run.
    #[error("Cannot link to a non running container: /{target} AS {link}")]
    LinkNotRunning {
        /// Its name.
        target: String,
        /// What it is to be known by: "/web/db".
        link: String,
    },
    /// It gets no network.
    #[error(transparent)]
    Network(#[from] NetworksError),
    /// It cannot see a folder of the host.
    #[error(transparent)]
    Share(#[from] SharesError),
    /// Neither an id, nor a name, nor the beginning of an id.
    #[error("No such container: {0}")]
    NoSuchContainer(String),
    /// The beginning of several ids.
    #[error("multiple IDs found with provided prefix: {0}")]
    Ambiguous(String),
    /// The name is in use.
    #[error(
        "Conflict. The container name \"/{name}\" is already in use by container \"{by}\". You have to remove (or rename) that container to be able to reuse that name."
    )]
    NameInUse {
        /// The name.
        name: String,
        /// Id of the container that has it.
        by: String,
    },
    /// The name breaks the rule for names.
    #[error("Invalid container name ({name}), only {} are allowed", names::RULE)]
    InvalidName {
        /// The name.
        name: String,
    },
    /// A rename to nothing.
    #[error("Neither old nor new names may be empty")]
    EmptyName,
    /// A rename to the name it has.
    #[error("Renaming a container with the same name as its current name")]
    SameName,
    /// What the container is asked to be makes no sense.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A filter makes no sense.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// It does not run.
    #[error("container {0} is not running")]
    NotRunning(String),
    /// No such signal.
    #[error("invalid signal: {0}")]
    InvalidSignal(String),
    /// It is being removed, or a removal failed half-way.
    #[error("container is marked for removal and cannot be started")]
    MarkedForRemoval,
    /// It is being removed.
    #[error("removal of container {0} is already in progress")]
    RemovalInProgress(String),
    /// It was not removed.
    #[error("cannot remove container {container:?}")]
    Remove {
        /// As the caller named it.
        container: String,
        /// Why.
        #[source]
        source: Box<ContainersError>,
    },
    /// It runs or restarts, and force was not asked for.
    #[error("container is {0}: stop the container before removing or force remove")]
    Active(&'static str),
    /// It is paused, and force was not asked for.
    #[error("container is paused and must be unpaused first")]
    RemovePaused,
    /// It starts again in a moment.
    #[error("Container {0} is restarting, wait until the container is running")]
    Restarting(String),
    /// A pause of what is paused.
    #[error("Container {0} is already paused")]
    AlreadyPaused(String),
    /// An unpause of what is not.
    #[error("Container {0} is not paused")]
    NotPaused(String),
    /// Nobody can start what is paused.
    #[error("cannot start a paused container, try unpause instead")]
    StartPaused,
    /// Nobody can attach to what is paused or restarts.
    #[error("container {container} is {state}")]
    AttachLater {
        /// As the caller named it.
        container: String,
        /// How it is, and what to do.
        state: &'static str,
    },
    /// Its processes do not freeze, or do not go on.
    #[error("cannot {} container {id}", if *pause { "pause" } else { "unpause" })]
    Freeze {
        /// Its id.
        id: String,
        /// What was tried.
        pause: bool,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It was not changed.
    #[error("Cannot update container {id}")]
    Update {
        /// Its id.
        id: String,
        /// Why.
        #[source]
        source: Box<ContainersError>,
    },
    /// The kernel refused a limit.
    #[error("a limit cannot be changed")]
    Limit(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What is asked for does not go with how it is.
    #[error("{0}")]
    Conflict(&'static str),
    /// Its program cannot be started, for a reason that lies in the container.
    #[error("{0}")]
    Program(String),
    /// Its program cannot be started, for a reason that lies in Cove.
    #[error("{0}")]
    Start(String),
    /// Another container's namespaces cannot be shared.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// Its user namespace.
    #[error(transparent)]
    UserNamespace(#[from] UserNamespaceError),
    /// A kernel parameter that is not the container's.
    #[error("{BEFORE_CHECKS}{0}: unknown")]
    Sysctl(SysctlError),
    /// A device that cannot be given.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// It could not be killed.
    #[error("cannot kill container: {container}")]
    Kill {
        /// As the caller named it.
        container: String,
        /// Why.
        #[source]
        source: Box<ContainersError>,
    },
    /// The kernel did not take the signal.
    #[error("the signal was not sent")]
    Signal(#[source] SignalError),
    /// The terminal did not take the size.
    #[error("cannot resize the terminal")]
    Resize(#[source] io::Error),
    /// A stream of the container cannot be used.
    #[error("cannot use the container's streams")]
    Streams(#[source] io::Error),
    /// What it uses cannot be found out.
    #[error("cannot read what the container uses")]
    Stats(#[source] io::Error),
    /// No such keys.
    #[error("Invalid detach keys ({0}) provided")]
    DetachKeys(String),
    /// The client typed the keys that let go of a terminal.
    #[error("read escape sequence")]
    Detached,
    /// Nothing is kept of what it writes.
    #[error("configured logging driver does not support reading")]
    LogsNotReadable,
    /// Neither output nor input was asked for.
    #[error("Bad parameters: you must choose at least one stream")]
    NoStream,
    /// Its image.
    #[error(transparent)]
    Image(#[from] ImagesError),
    /// A volume of it.
    #[error(transparent)]
    Volume(#[from] VolumesError),
    /// Its files.
    #[error(transparent)]
    Content(#[from] FilesError),
    /// Its record.
    #[error(transparent)]
    State(#[from] StateError),
    /// Its log.
    #[error(transparent)]
    Log(#[from] LogError),
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
    /// A new id or name.
    #[error(transparent)]
    Random(#[from] names::NoRandomness),
    /// The machine is being stopped.
    #[error("the machine is being stopped")]
    ShuttingDown,
}

impl ContainersError {
    /// What callers branch on.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::NoSuchContainer(_) => Kind::NotFound,
            Self::Ambiguous(_)
            | Self::InvalidName { .. }
            | Self::EmptyName
            | Self::SameName
            | Self::Filter(
                FilterError::Invalid { .. }
                | FilterError::Unknown(_)
                | FilterError::Time(_)
                | FilterError::TwoTimes
                | FilterError::Health(_),
            )
            | Self::InvalidSignal(_)
            | Self::NoStream
            | Self::NoSuchLink(_)
            | Self::DetachKeys(_)
            | Self::Program(_) => Kind::Invalid,
            Self::Spec(error) => error.kind(),
            Self::Content(error) => error.kind(),
            Self::Filter(FilterError::NoSuchContainer(_)) => Kind::NotFound,
            Self::NameInUse { .. } => Kind::NameInUse,
            Self::NotRunning(_)
            | Self::MarkedForRemoval
            | Self::RemovalInProgress(_)
            | Self::Active(_)
            | Self::RemovePaused
            | Self::Restarting(_)
            | Self::AlreadyPaused(_)
            | Self::StartPaused
            | Self::AttachLater { .. }
            | Self::Conflict(_) => Kind::Conflict,
            Self::Kill { source, .. } | Self::Remove { source, .. } | Self::Update { source, .. } => source.kind(),
            Self::Join(error) => error.kind(),
            Self::UserNamespace(error) => error.kind(),
            Self::Image(error) => image_kind(error),
            Self::Volume(error) => volume_kind(error),
            Self::Network(error) => network_kind(error),
            Self::State(error) if error.is_disk_full() => Kind::Full,
            Self::Files { source, .. } if source.kind() == io::ErrorKind::StorageFull => Kind::Full,
            Self::LogsNotReadable => Kind::Unsupported,
            Self::Detached => Kind::Detached,
            Self::ShuttingDown => Kind::Unavailable,
            Self::Start(_)
            | Self::Share(_)
            | Self::Sysctl(_)
            | Self::Device(_)
            | Self::LinkNotRunning { .. }
            | Self::OwnName
            | Self::Signal(_)
            // dockerd has no kind for it, and clients know its status.
            | Self::NotPaused(_)
            | Self::Freeze { .. }
            | Self::Limit(_)
            | Self::Resize(_)
            | Self::Streams(_)
            | Self::Stats(_)
            | Self::State(_)
            | Self::Log(_)
            | Self::Files { .. }
            | Self::Random(_) => Kind::Internal,
        }
    }
}

pub(crate) fn volume_kind(error: &VolumesError) -> Kind {
    use crate::volumes::Kind as Of;
    match error.kind() {
        Of::NotFound => Kind::NotFound,
        Of::Invalid => Kind::Invalid,
        Of::Unsupported => Kind::Unsupported,
        Of::Conflict => Kind::Conflict,
        Of::Full => Kind::Full,
        Of::Internal => Kind::Internal,
    }
}

pub(crate) fn network_kind(error: &NetworksError) -> Kind {
    use crate::networks::Kind as Of;
    match error.kind() {
        Of::NotFound => Kind::NotFound,
        Of::Invalid => Kind::Invalid,
        Of::Forbidden => Kind::Forbidden,
        Of::NameInUse => Kind::NameInUse,
        Of::Unsupported => Kind::Unsupported,
        Of::Full => Kind::Full,
        Of::Internal => Kind::Internal,
    }
}

fn image_kind(error: &ImagesError) -> Kind {
    use crate::images::Kind as Of;
    match error.kind() {
        Of::NotFound => Kind::NotFound,
        Of::Invalid => Kind::Invalid,
        Of::Conflict => Kind::Conflict,
        Of::Full => Kind::Full,
        Of::Cancelled => Kind::Unavailable,
        Of::Internal => Kind::Internal,
    }
}
