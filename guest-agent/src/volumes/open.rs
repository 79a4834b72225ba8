//! Opening the volumes of a data disk: what an earlier agent began is finished.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::{Arc, Mutex, atomic::AtomicBool},
};

use super::{
    Store, Volume, Volumes,
    error::VolumesError,
    fill,
    folder::{Folders, failed},
    record::{Record, VOLUMES},
};
use crate::{clock, events::Events, state::Database};

impl Volumes {
    /// Opens the volumes below `root`.
    ///
    /// # Errors
    /// If the disk or the database cannot be used.
    pub fn open(root: &Path, database: &Database, events: Events) -> Result<Self, VolumesError> {
        let folders = Folders::open(root)?;
        let (present, removed) = folders.list()?;
        let present: BTreeSet<String> = present.into_iter().collect();
        let mut records: BTreeMap<String, Record> = VOLUMES.all(database)?.into_iter().collect();
        // Their folder went first: they were being removed.
        let gone: Vec<String> = records.keys().filter(|name| !present.contains(*name)).cloned().collect();
        records.retain(|name, _| present.contains(name));
        let mut found = Vec::new();
        for name in present.iter().filter(|name| !records.contains_key(*name)) {
            if let Some(record) = without_record(&folders, name)? {
                found.push(record);
            }
        }
        if !gone.is_empty() || !found.is_empty() {
            database.write_blocking(|changes| {
                gone.iter().try_for_each(|name| VOLUMES.delete(changes, name).map(drop))?;
                found.iter().try_for_each(|record| VOLUMES.put(changes, &record.name, record))
            })?;
        }
        records.extend(found.into_iter().map(|record| (record.name.clone(), record)));
        for name in records.keys() {
            fill::finish(&folders, name)?;
        }
        for away in removed {
            Folders::free(&away)?;
        }
        let volumes = records.into_iter().map(|(name, record)| (name, Volume::new(record))).collect();
        let pruning = AtomicBool::new(false);
        Ok(Self(Arc::new(Store { database: database.clone(), folders, volumes: Mutex::new(volumes), pruning, events })))
    }
}

/// A folder without a record: of a volume whose creation was not finished, then it is empty and goes; or somebody's data,
/// then it is a volume.
fn without_record(folders: &Folders, name: &str) -> Result<Option<Record>, VolumesError> {
    let data = folders.data(name);
    let mut entries = match fs::read_dir(&data) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Folders::free(&folders.discard(name)?)?;
            return Ok(None);
        }
        Err(error) => return Err(failed("read", &data)(error)),
    };
    if entries.next().is_none() {
        Folders::free(&folders.discard(name)?)?;
        return Ok(None);
    }
    tracing::warn!(volume = name, "a volume without a record is taken over as it is");
    let (labels, options) = (BTreeMap::new(), BTreeMap::new());
    Ok(Some(Record { name: name.to_owned(), created_at: clock::now_nanos(), labels, options }))
}
