//! Which containers there are: by id, by name, by the beginning of an id.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::sync::{RwLock, mpsc, watch};

use cove_proto::v1;

use super::{
    actor::Command,
    error::ContainersError,
    program::Program,
    record::{Phase, Record},
};
use crate::logs::Log;

/// A container, to those who deal with it. Its task owns its state; this is the way to the task, and what it last said.
#[derive(Debug)]
pub struct Entry {
    /// 64 hexadecimal digits.
    pub id: String,
    /// What it wrote.
    pub log: Log,
    /// The way to its task.
    pub(super) commands: mpsc::Sender<Command>,
    /// What its task last said.
    pub(super) view: watch::Receiver<Arc<View>>,
    /// Restarts under way: its end is then no reason to remove it.
    pub(super) restarting: Arc<AtomicU32>,
    /// Held for reading by those who look at its files while it does not run, for writing while it starts.
    pub(super) idle: Arc<RwLock<()>>,
    execs: Mutex<BTreeSet<String>>,
}

/// How a container is at a moment.
#[derive(Debug, Clone)]
pub struct View {
    /// Its record.
    pub record: Record,
    /// Its first process, while it runs.
    pub program: Option<Arc<dyn Program>>,
    /// Whether its processes are frozen.
    pub paused: bool,
    /// How healthy it is; `None` when nothing checks it.
    pub health: Option<v1::Health>,
    /// Whether it is removed.
    pub gone: bool,
}

impl View {
    /// The state, in the words of the API.
    #[must_use]
    pub fn status(&self) -> v1::ContainerStatus {
        if self.paused { v1::ContainerStatus::Paused } else { self.record.state.status() }
    }

    /// Whether its restart policy starts it again in a moment.
    #[must_use]
    pub fn is_restarting(&self) -> bool {
        self.record.state.phase == Phase::Restarting
    }

    /// Whether it runs, or will in a moment.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.program.is_some() || self.is_restarting()
    }

    /// How healthy it is.
    #[must_use]
    pub fn verdict(&self) -> v1::HealthStatus {
        self.health.as_ref().map_or(v1::HealthStatus::Unspecified, v1::Health::status)
    }
}

impl Entry {
    pub(super) fn new(
        id: String,
        log: Log,
        commands: mpsc::Sender<Command>,
        view: watch::Receiver<Arc<View>>,
        restarting: Arc<AtomicU32>,
        idle: Arc<RwLock<()>>,
    ) -> Self {
        Self { id, log, commands, view, restarting, idle, execs: Mutex::default() }
    }

    /// How it is now.
    #[must_use]
    pub fn now(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }

    /// How it is from now on.
    pub fn watch(&self) -> watch::Receiver<Arc<View>> {
        self.view.clone()
    }

    /// Its first process.
    ///
    /// # Errors
    /// If it does not run.
    pub fn running(&self) -> Result<Arc<dyn Program>, ContainersError> {
        let view = self.now();
        match &view.program {
            Some(program) => Ok(Arc::clone(program)),
            None if view.is_restarting() => Err(ContainersError::Restarting(self.id.clone())),
            None => Err(ContainersError::NotRunning(self.id.clone())),
        }
    }

    /// Notes that an exec runs in it, until the guard is dropped.
    #[must_use]
    pub fn with_exec(self: &Arc<Self>, exec_id: &str) -> ExecGuard {
        self.execs.lock().unwrap_or_else(PoisonError::into_inner).insert(exec_id.to_owned());
        ExecGuard { entry: Arc::clone(self), exec_id: exec_id.to_owned() }
    }

    /// Ids of the execs that run in it.
    #[must_use]
    pub fn exec_ids(&self) -> Vec<String> {
        self.execs.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Keeps it from being removed at its end, until the guard is dropped.
    pub(super) fn restart(&self) -> RestartGuard {
        self.restarting.fetch_add(1, Ordering::SeqCst);
        RestartGuard(Arc::clone(&self.restarting))
    }
}

/// See [`Entry::with_exec`].
#[derive(Debug)]
pub struct ExecGuard {
    entry: Arc<Entry>,
    exec_id: String,
}

impl ExecGuard {
    /// The container.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        &self.entry
    }
}

impl Drop for ExecGuard {
    fn drop(&mut self) {
        self.entry.execs.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.exec_id);
    }
}

/// See [`Entry::restart`].
pub(super) struct RestartGuard(Arc<AtomicU32>);

impl Drop for RestartGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Which containers there are. Names are reserved while their container is being made.
#[derive(Debug, Default)]
pub(super) struct Index {
    by_id: BTreeMap<String, Arc<Entry>>,
    ids_by_name: HashMap<String, String>,
}

impl Index {
    /// Finds a container as dockerd does: by its id, its name, or the beginning of its id.
    pub(super) fn find(&self, asked: &str) -> Result<Arc<Entry>, ContainersError> {
        let none = || ContainersError::NoSuchContainer(asked.to_owned());
        let name = asked.strip_prefix('/').unwrap_or(asked);
        if name.is_empty() {
            return Err(none());
        }
        if let Some(entry) = self.by_id.get(asked) {
            return Ok(Arc::clone(entry));
        }
        if let Some(entry) = self.ids_by_name.get(name).and_then(|id| self.by_id.get(id)) {
            return Ok(Arc::clone(entry));
        }
        let mut like = self.by_id.range(asked.to_owned()..).take_while(|(id, _)| id.starts_with(asked));
        match (like.next(), like.next()) {
            (Some((_, entry)), None) => Ok(Arc::clone(entry)),
            (Some(_), Some(_)) => Err(ContainersError::Ambiguous(asked.to_owned())),
            (None, _) => Err(none()),
        }
    }

    pub(super) fn all(&self) -> Vec<Arc<Entry>> {
        self.by_id.values().cloned().collect()
    }

    /// Whether the container of this id is there, and not only being made.
    pub(super) fn is_there(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    pub(super) fn is_taken(&self, name: &str) -> bool {
        self.ids_by_name.contains_key(name)
    }

    /// Reserves a name for an id.
    pub(super) fn reserve(&mut self, name: &str, id: &str) -> Result<(), ContainersError> {
        if let Some(by) = self.ids_by_name.get(name) {
            return Err(ContainersError::NameInUse { name: name.to_owned(), by: by.clone() });
        }
        self.ids_by_name.insert(name.to_owned(), id.to_owned());
        Ok(())
    }

    pub(super) fn give_back(&mut self, name: &str) {
        self.ids_by_name.remove(name);
    }

    pub(super) fn insert(&mut self, entry: Arc<Entry>) {
        self.by_id.insert(entry.id.clone(), entry);
    }

    pub(super) fn remove(&mut self, id: &str) {
        self.by_id.remove(id);
        self.ids_by_name.retain(|_, of| of != id);
    }
}
