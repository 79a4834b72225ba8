//! Listing volumes.

use std::collections::HashMap;

use cove_proto::v1::StringList;

use super::{
    VolumeInfo, Volumes,
    error::VolumesError,
    filters::{Filters, LIST},
    size,
};

impl Volumes {
    /// Lists volumes by name. With `sizes`, of those whose size can be counted.
    ///
    /// # Errors
    /// If a filter makes no sense.
    pub fn list(&self, filters: &HashMap<String, StringList>, sizes: bool) -> Result<Vec<VolumeInfo>, VolumesError> {
        let filters = Filters::parse(filters, LIST)?;
        let mut found: Vec<VolumeInfo> = self.0.volumes().values().map(|volume| self.0.describe(volume)).collect();
        found.retain(|volume| filters.matches(volume));
        if sizes {
            for volume in &mut found {
                volume.bytes = self.size(volume);
            }
        }
        Ok(found)
    }

    /// As with dockerd, a size that cannot be counted fails nothing.
    pub(super) fn size(&self, volume: &VolumeInfo) -> Option<u64> {
        match size::of(&volume.mountpoint) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                tracing::warn!(volume = volume.record.name, %error, "the size of a volume cannot be counted");
                None
            }
        }
    }
}
