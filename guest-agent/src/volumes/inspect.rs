//! Saying all about a volume.

use super::{VolumeInfo, Volumes, error::VolumesError};

impl Volumes {
    /// Says all about a volume, but its size.
    ///
    /// # Errors
    /// If there is none.
    pub fn get(&self, name: &str) -> Result<VolumeInfo, VolumesError> {
        let volumes = self.0.volumes();
        let volume = volumes.get(name).ok_or_else(|| VolumesError::NoSuchVolume(name.to_owned()))?;
        Ok(self.0.describe(volume))
    }
}
