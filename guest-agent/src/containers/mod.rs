//! Containers, as their users see them: what they are, their states, what is done with them.
//!
//! ```text
//!                     start          pause         its program ends
//!  create ──► created ──────► running ◄──► paused ───────────────────► exited ──► (gone)
//!                │               ▲ ▲                                   │ │ remove
//!                │ remove        │ └─── restarting: after a while ◄────┤ │
//!                └──► (gone)     └───────────── start ─────────────────┘ └► dead: the removal failed
//! ```
//!
//! One task per container ([`actor`]) owns its state and carries out what changes it: start, kill, remove, rename, and the
//! end of its program. Everybody else sends it commands and sees its last word ([`index::View`]). What lasts longer (stop
//! waits for the program to end) is made of commands and belongs to no task, so that a kill during a stop gets through.
//!
//! What the database says is made true when the agent starts ([`adopt`]): PID 1 knows what runs. A change is written before
//! it shows; a start is written while it happens, and answered when both are done.
//!
//! * Verbs: [`create`], [`start`], [`stop`], [`kill`], [`restart`], [`remove`], [`rename`], [`wait`], [`list`], [`watch`], [`inspect`],
//!   [`connect`] (and disconnect), [`resize`], [`top`], [`stats`], [`isolation`], [`attach`], [`output`], [`pause`], [`update`], [`prune`].
//! * What happens by itself: [`restart_policy`]; [`health`], with its [`probe`]; [`oom`].
//! * What a container is: [`spec`] (does it make sense), [`merge`] (with its image), [`limits`], [`namespaces`],
//!   [`user_namespaces`], [`links`], [`sysctls`], [`devices`], [`mounts`] (what it sees beside its root file system), [`launch`], [`etc`], [`log`],
//!   [`folder`], [`record`].
//! * [`files`] — what is in it: copied in and out, exported, compared with its image, made an image.
//! * [`tell`] — events; [`program`] — the seams to processes and images.

mod actor;
mod adopt;
pub mod attach;
mod connect;
mod create;
mod devices;
mod error;
mod etc;
#[cfg(test)]
pub(crate) mod fake;
pub mod files;
mod filters;
mod folder;
mod health;
mod index;
mod inspect;
mod isolation;
mod kill;
mod launch;
mod limits;
mod links;
pub mod list;
mod log;
pub mod merge;
mod mounts;
mod namespaces;
mod oom;
pub mod output;
mod pause;
mod ports;
mod probe;
pub mod program;
mod prune;
mod record;
mod remove;
mod rename;
mod resize;
mod restart;
mod restart_policy;
pub mod signals;
mod spec;
mod start;
mod stats;
mod stop;
mod sysctls;
mod tell;
#[cfg(test)]
mod tests;
mod top;
mod update;
mod user_namespaces;
mod wait;
pub mod watch;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
};

use cove_proto::v1;

pub(crate) use self::{
    actor::DRAIN,
    error::{network_kind, volume_kind},
    inspect::{nanos, timestamp},
    isolation::namespaces,
    prune::Wanted,
    start::chain,
    top::started_at,
};
pub use self::{
    error::{ContainersError, Kind},
    files::FilesError,
    filters::FilterError,
    index::{Entry, ExecGuard, View},
    mounts::MountError,
    prune::Pruned,
    record::{Phase, Record, State},
    spec::{SpecError, discard},
    wait::Waited,
};
use self::{
    folder::Folders,
    index::Index,
    program::{ImageSource, Launcher},
};
use crate::{
    events::Events, networks::Networks, processes::launch::ProcessSpec, shares::Shares, state::Database,
    volumes::Volumes,
};

/// What containers stand on.
pub struct Ground {
    /// The folder of the engine on the data disk.
    pub root: PathBuf,
    /// The database.
    pub database: Database,
    /// The images.
    pub images: Arc<dyn ImageSource>,
    /// The volumes.
    pub volumes: Volumes,
    /// The networks.
    pub networks: Networks,
    /// The folders of the host.
    pub shares: Shares,
    /// What starts processes.
    pub launcher: Arc<dyn Launcher>,
    /// Which boot of the machine this is.
    pub boot: String,
    /// How many CPUs the guest has.
    pub cpus: usize,
    /// Whether containers have a user namespace unless they say otherwise.
    pub user_namespaces: bool,
    /// Where to tell what happens.
    pub events: Events,
}

/// All containers; clones share them.
#[derive(Clone)]
pub struct Containers(Arc<Engine>);

/// What the containers share.
pub(crate) struct Engine {
    database: Database,
    images: Arc<dyn ImageSource>,
    volumes: Volumes,
    networks: Networks,
    shares: Shares,
    launcher: Arc<dyn Launcher>,
    folders: Folders,
    boot: String,
    cpus: usize,
    user_namespaces: bool,
    events: Events,
    index: Mutex<Index>,
    /// Counts what changed, see [`watch`].
    changes: tokio::sync::watch::Sender<u64>,
    /// Whether a prune is under way.
    pruning: AtomicBool,
    shutting_down: AtomicBool,
}

impl std::fmt::Debug for Containers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Containers(..)")
    }
}

impl Containers {
    /// Finds a container by its id, its name, or the beginning of its id.
    ///
    /// # Errors
    /// If there is none, or several begin so.
    pub fn find(&self, asked: &str) -> Result<Arc<Entry>, ContainersError> {
        self.0.index().find(asked)
    }

    /// All containers.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Entry>> {
        self.0.index().all()
    }

    /// What starts processes.
    #[must_use]
    pub fn launcher(&self) -> &Arc<dyn Launcher> {
        &self.0.launcher
    }

    /// A further process of a container.
    ///
    /// # Errors
    /// If what it asks for makes no sense.
    pub fn further_process(
        &self,
        record: &Record,
        exec: &v1::ExecSpec,
        size: Option<&v1::TerminalSize>,
    ) -> Result<ProcessSpec, ContainersError> {
        Ok(launch::further_process(record, exec, size)?)
    }
}

impl Engine {
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those who watch the list that it, or a state in it, is another.
    fn changed(&self) {
        self.changes.send_modify(|revision| *revision += 1);
    }
}

/// Runs what blocks on the disk where it blocks nobody.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ContainersError> + Send + 'static,
) -> Result<T, ContainersError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(ContainersError::ShuttingDown))
}

/// Carries on although the caller may leave: what was begun is finished.
async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, ContainersError>> + Send + 'static,
) -> Result<T, ContainersError> {
    tokio::spawn(work).await.unwrap_or(Err(ContainersError::ShuttingDown))
}

/// The place of the database below the engine's folder.
#[must_use]
pub fn database_path(root: &Path) -> PathBuf {
    root.join("state.redb")
}
