//! Making an exec.

use std::sync::{Arc, Mutex};

use cove_proto::v1::ExecSpec;

use super::{Exec, Execs, ExecsError, Phase};
use crate::{clock, containers::SpecError, names};

/// How long the outcome of an exec is kept for clients that ask late (dockerd: between five and ten minutes).
const KEPT_NANOS: i64 = 300_000_000_000;

impl Execs {
    /// Makes an exec in a container, and says its id.
    ///
    /// # Errors
    /// If the container does not run, or what is asked for makes no sense.
    pub fn create(&self, container: &str, spec: ExecSpec) -> Result<String, ExecsError> {
        let entry = self.containers.find(container)?;
        entry.running()?;
        if entry.now().paused {
            return Err(ExecsError::Paused(container.to_owned()));
        }
        if spec.args.first().is_none_or(String::is_empty) {
            return Err(ExecsError::NoCommand);
        }
        if let Some(wrong) = spec.env.iter().find(|entry| entry.is_empty() || entry.starts_with('=')) {
            return Err(ExecsError::Container(SpecError::Environment(wrong.clone()).into()));
        }
        let id = names::new_id()?;
        let told = super::told("exec_create", &spec);
        let exec = Exec { id: id.clone(), container_id: entry.id.clone(), spec, phase: Mutex::new(Phase::Created) };
        let now = clock::now_nanos();
        let mut table = self.table();
        table.retain(|_, exec| match &*exec.phase() {
            Phase::Ended { at, .. } => now.saturating_sub(*at) < KEPT_NANOS,
            Phase::Created => self.containers.find(&exec.container_id).is_ok_and(|entry| entry.running().is_ok()),
            Phase::Starting | Phase::Running(_) => true,
        });
        table.insert(id.clone(), Arc::new(exec));
        drop(table);
        self.containers.tell(&entry.now().record, &told, |event| event.with("execID", &id));
        Ok(id)
    }
}
