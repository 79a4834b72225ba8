//! Removing a network: out of the database, then its bridge.

use std::sync::Arc;

use super::{Networks, NetworksError, Record, bridge, record::NETWORKS};

impl Networks {
    /// Removes a network that nobody is on. Blocks.
    ///
    /// # Errors
    /// If it is always there, or containers that run are on it.
    pub fn remove(&self, asked: &str) -> Result<(), NetworksError> {
        let record = self.find(asked)?;
        if record.is_built_in() {
            return Err(NetworksError::RemoveBuiltIn(record.name.clone()));
        }
        self.remove_found(&record)
    }

    pub(super) fn remove_found(&self, record: &Arc<Record>) -> Result<(), NetworksError> {
        let inner = &self.0;
        let mut state = inner.state();
        // Links of containers that ended a moment ago are nobody's.
        while state.leaving.iter().any(|(_, endpoint)| endpoint.network == record.id) {
            state = inner.wait(state);
        }
        let mut active: Vec<String> = state
            .endpoints_on(&record.id)
            .map(|(container, endpoint)| {
                let name = endpoint.names.first().unwrap_or(container);
                format!("name:{name:?} id:{:?}", endpoint.id.get(..12).unwrap_or(&endpoint.id))
            })
            .collect();
        active.sort();
        if !active.is_empty() {
            return Err(NetworksError::InUse { network: record.name.clone(), endpoints: active.join(", ") });
        }
        inner.database.write_blocking(|changes| NETWORKS.delete(changes, &record.id).map(drop))?;
        if state.networks.remove(&record.id).is_none() {
            return Err(NetworksError::NotFound(record.name.clone()));
        }
        if inner.has_kernel {
            bridge::remove(record);
        }
        drop(state);
        self.tell(record, "destroy", None);
        Ok(())
    }
}
