//! Removing the volumes that no container uses.

use std::{collections::HashMap, sync::atomic::Ordering};

use cove_proto::v1::StringList;

use super::{
    Store, Volumes,
    error::VolumesError,
    events::Told,
    filters::{Filters, PRUNE},
};

/// What went.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Names.
    pub names: Vec<String>,
    /// Bytes that were in them.
    pub freed_bytes: u64,
}

impl Volumes {
    /// Removes the volumes that no container uses: those without a name, with the filter `all=true` the others as well. As
    /// with dockerd, those with options stay: there is no space to be won.
    ///
    /// # Errors
    /// If a filter makes no sense, or another prune is under way.
    pub fn prune(&self, filters: &HashMap<String, StringList>) -> Result<Pruned, VolumesError> {
        let filters = Filters::parse(filters, PRUNE)?;
        let _turn = Turn::take(&self.0)?;
        let found: Vec<_> = self.0.volumes().values().map(|volume| self.0.describe(volume)).collect();
        let mut pruned = Pruned::default();
        for volume in found {
            let spared = volume.containers > 0
                || !volume.record.options.is_empty()
                || (!filters.all() && !volume.is_anonymous())
                || !filters.matches(&volume);
            if spared {
                continue;
            }
            let bytes = self.size(&volume).unwrap_or_default();
            match self.remove(&volume.record.name, false) {
                Ok(()) => {
                    pruned.freed_bytes += bytes;
                    pruned.names.push(volume.record.name);
                }
                // Somebody was quicker, to remove it or to use it.
                Err(VolumesError::NoSuchVolume(_) | VolumesError::InUse { .. }) => {}
                Err(error) => {
                    tracing::warn!(
                        volume = volume.record.name,
                        error = &error as &dyn std::error::Error,
                        "an unused volume cannot be removed"
                    );
                }
            }
        }
        self.tell("", Told::Prune { freed_bytes: pruned.freed_bytes });
        Ok(pruned)
    }
}

/// The right to prune: one at a time.
struct Turn<'a>(&'a Store);

impl<'a> Turn<'a> {
    fn take(store: &'a Store) -> Result<Self, VolumesError> {
        if store.pruning.swap(true, Ordering::SeqCst) { Err(VolumesError::Pruning) } else { Ok(Self(store)) }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.pruning.store(false, Ordering::SeqCst);
    }
}
