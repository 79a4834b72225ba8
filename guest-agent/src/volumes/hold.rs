//! Which containers use which volume. A volume that is used cannot be removed.

use super::{Volumes, error::VolumesError};

impl Volumes {
    /// Notes that a container uses a volume.
    ///
    /// # Errors
    /// If there is no such volume.
    pub fn hold(&self, name: &str, container: &str) -> Result<(), VolumesError> {
        let mut volumes = self.0.volumes();
        let volume = volumes.get_mut(name).ok_or_else(|| VolumesError::NoSuchVolume(name.to_owned()))?;
        volume.users.insert(container.to_owned());
        Ok(())
    }

    /// A container that was being created exists: what was made for it stays as long as others do.
    pub fn settle(&self, container: &str) {
        for volume in self.0.volumes().values_mut() {
            volume.made_for.take_if(|made_for| made_for == container);
        }
    }

    /// A container does not exist any more.
    pub fn release(&self, container: &str) {
        for volume in self.0.volumes().values_mut() {
            volume.users.remove(container);
        }
    }

    /// A container that was being created will not exist. What was made for it without a name goes; what has a name stays,
    /// as with dockerd.
    ///
    /// # Errors
    /// If something stays that should not.
    pub fn abandon(&self, container: &str) -> Result<(), VolumesError> {
        self.release(container);
        let made_for_it: Vec<String> = {
            let volumes = self.0.volumes();
            let made = volumes.values().filter(|volume| volume.made_for.as_deref() == Some(container));
            made.map(|volume| volume.record.name.clone()).collect()
        };
        made_for_it.iter().try_for_each(|name| self.remove(name, true))
    }
}
