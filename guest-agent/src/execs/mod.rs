//! Programs run in a container that runs. They are kept in memory: an exec means nothing without its container's run.
//!
//! ```text
//! created ──start──► running ──its program ends──► ended ──(five minutes)──► (gone)
//!             └─────────── it cannot be started ──────┘
//! ```
//!
//! * [`create`], [`start`], [`resize`](Execs::resize), [`inspect`](Execs::inspect).
//! * [`pump`] — its output, straight from its pipes to the one client that may have it.
//! * [`input`] — its standard input.

mod create;
mod error;
pub mod input;
mod pump;
pub mod start;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cove_proto::v1;

pub use self::{error::ExecsError, pump::abandon, start::Started};
use crate::containers::{Containers, program::Program};

/// All execs; clones share them.
#[derive(Debug, Clone)]
pub struct Execs {
    containers: Containers,
    table: Arc<Mutex<HashMap<String, Arc<Exec>>>>,
}

/// The action of an event, with the command as dockerd puts it there.
fn told(action: &str, spec: &v1::ExecSpec) -> String {
    let (program, arguments) = spec.args.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    format!("{action}: {program} {}", arguments.join(" "))
}

/// An exec.
#[derive(Debug)]
struct Exec {
    id: String,
    container_id: String,
    spec: v1::ExecSpec,
    phase: Mutex<Phase>,
}

#[derive(Debug, Clone)]
enum Phase {
    Created,
    Starting,
    Running(Arc<dyn Program>),
    Ended { pid: u32, exit_code: i32, at: i64 },
}

impl Exec {
    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Execs {
    /// None yet.
    #[must_use]
    pub fn new(containers: Containers) -> Self {
        Self { containers, table: Arc::default() }
    }

    fn table(&self) -> MutexGuard<'_, HashMap<String, Arc<Exec>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, id: &str) -> Result<Arc<Exec>, ExecsError> {
        self.table().get(id).cloned().ok_or_else(|| ExecsError::NoSuchExec(id.to_owned()))
    }

    /// Says all about an exec.
    ///
    /// # Errors
    /// If there is none of this id.
    pub fn inspect(&self, id: &str) -> Result<v1::Exec, ExecsError> {
        let exec = self.find(id)?;
        let (running, pid, exit_code) = match &*exec.phase() {
            Phase::Created | Phase::Starting => (false, 0, None),
            Phase::Running(program) => (true, program.pid(), None),
            Phase::Ended { pid, exit_code, .. } => (false, *pid, Some(*exit_code)),
        };
        Ok(v1::Exec {
            id: exec.id.clone(),
            container_id: exec.container_id.clone(),
            spec: Some(exec.spec.clone()),
            running,
            pid,
            exit_code,
        })
    }

    /// Tells that the client of an exec has let go of its terminal.
    pub fn let_go(&self, id: &str) {
        let Ok(exec) = self.find(id) else { return };
        if let Ok(entry) = self.containers.find(&exec.container_id) {
            self.containers.tell(&entry.now().record, "exec_detach", |event| event.with("execID", id));
        }
    }

    /// Sets the size of an exec's terminal.
    ///
    /// # Errors
    /// If it does not run, or has no terminal.
    pub fn resize(&self, id: &str, rows: u32, columns: u32) -> Result<(), ExecsError> {
        let exec = self.find(id)?;
        let short = |value: u32| u16::try_from(value).unwrap_or(u16::MAX);
        match &*exec.phase() {
            Phase::Running(program) => program.resize(short(rows), short(columns)).map_err(ExecsError::Resize),
            _ => Err(ExecsError::NotRunning(id.to_owned())),
        }
    }
}
