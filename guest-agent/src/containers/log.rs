//! The log of a container, as its options want it.

use std::collections::BTreeMap;

use super::{Containers, ContainersError, Engine, record::Record, spec::SpecError};
use crate::logs::{
    Log,
    attributes::{Told, attributes},
    options::{driver, keeping},
};

/// What dockerd says before what is wrong with an option's value.
const BEFORE_REASON: &str = "failed to create task for container: failed to initialize logging driver";

/// Opens the log of a container. As with dockerd, a value that makes no sense is found when the container starts; until
/// then it writes nothing. Blocks on the disk.
pub(super) fn open(engine: &Engine, record: &Record) -> Result<Log, ContainersError> {
    let keeping = keeping(record.spec.log_config.as_ref()).unwrap_or_default();
    Ok(Log::open(&engine.folders.of(&record.id).log(), keeping)?)
}

/// Checks what is needed at the start.
pub(super) fn check(record: &Record) -> Result<(), ContainersError> {
    let checked = keeping(record.spec.log_config.as_ref())
        .and_then(|_| attributes(record.spec.log_config.as_ref(), told(record)));
    checked.map(drop).map_err(|error| ContainersError::Start(format!("{BEFORE_REASON}: {error}")))
}

/// Whether what it wrote can be read again.
pub(super) fn check_readable(record: &Record) -> Result<(), ContainersError> {
    if driver(record.spec.log_config.as_ref()) == "none" {
        return Err(ContainersError::LogsNotReadable);
    }
    Ok(())
}

fn told(record: &Record) -> Told<'_> {
    let spec = &record.spec;
    Told {
        id: &record.id,
        name: &record.name,
        image: &spec.image,
        image_id: &record.image_id,
        env: &spec.env,
        labels: &spec.labels,
    }
}

impl Containers {
    /// What the log's options want said with each line.
    ///
    /// # Errors
    /// If there is no such container, or it could not start with these options.
    pub fn log_attributes(&self, container: &str) -> Result<BTreeMap<String, String>, ContainersError> {
        let view = self.find(container)?.now();
        let record = &view.record;
        Ok(attributes(record.spec.log_config.as_ref(), told(record)).map_err(SpecError::from)?)
    }
}
