//! Removing a volume: out of the way on the disk, then out of the database, then its space is freed. If the agent ends
//! between the steps, its next start finishes them.

use super::{Volumes, error::VolumesError, events::Told, folder::Folders, record::VOLUMES};

impl Volumes {
    /// Removes a volume and what is in it. With `force` it is no error if there is none.
    ///
    /// # Errors
    /// If there is none, or containers use it.
    pub fn remove(&self, name: &str, force: bool) -> Result<(), VolumesError> {
        let mut volumes = self.0.volumes();
        let Some(volume) = volumes.get(name) else {
            return if force { Ok(()) } else { Err(VolumesError::NoSuchVolume(name.to_owned())) };
        };
        if !volume.users.is_empty() {
            let by = volume.users.iter().cloned().collect();
            return Err(VolumesError::InUse { name: name.to_owned(), by });
        }
        let away = self.0.folders.discard(name)?;
        volumes.remove(name);
        // Should this fail, the record goes when the agent starts next: it has no folder.
        self.0.database.write_blocking(|changes| VOLUMES.delete(changes, name))?;
        drop(volumes);
        self.tell(name, Told::Destroy);
        if let Err(error) = Folders::free(&away) {
            tracing::warn!(
                volume = name,
                error = &error as &dyn std::error::Error,
                "the space of a removed volume is not free yet"
            );
        }
        Ok(())
    }
}
