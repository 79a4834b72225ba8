//! What the database keeps of a volume.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::state::Records;

/// The volumes, by name.
pub(super) const VOLUMES: Records<Record> = Records::new("volumes");

/// See [`super::Volumes::ANONYMOUS`].
pub(super) const ANONYMOUS: &str = "com.docker.volume.anonymous";

/// What the database keeps of a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its name.
    pub name: String,
    /// Nanoseconds since 1970.
    pub created_at: i64,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
}

impl Record {
    /// Whether it was made without a name.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.labels.contains_key(ANONYMOUS)
    }
}
