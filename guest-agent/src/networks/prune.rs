//! Removing the networks that nobody is on.

use std::collections::HashMap;

use cove_proto::v1::StringList;
use jiff::Timestamp;

use super::{Networks, NetworksError};
use crate::{
    containers::{ContainersError, Wanted},
    events::{Event, Kind},
};

impl Networks {
    /// Removes the user's networks that no running container is on and that match; says their names. One that cannot be
    /// removed is passed over. Blocks.
    ///
    /// # Errors
    /// If a filter makes no sense.
    pub fn prune(&self, filters: HashMap<String, StringList>) -> Result<Vec<String>, ContainersError> {
        let wanted = Wanted::parse(filters, Timestamp::now())?;
        let mut removed = Vec::new();
        for record in self.all() {
            if record.is_built_in() || !wanted.has(record.created_at, |name| record.labels.get(name)) {
                continue;
            }
            match self.remove_found(&record) {
                Ok(()) => removed.push(record.name.clone()),
                // Somebody is on it, or was quicker.
                Err(NetworksError::InUse { .. } | NetworksError::NotFound(_)) => {}
                Err(error) => tracing::warn!(
                    network = record.name,
                    error = &error as &dyn std::error::Error,
                    "an unused network cannot be removed"
                ),
            }
        }
        self.0.events.publish(Event::new(Kind::Network, "prune", "").with("reclaimed", 0));
        Ok(removed)
    }
}
