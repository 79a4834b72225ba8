//! Making a volume: its folder first, then the record that makes it exist.

use std::collections::BTreeMap;

use super::{
    DRIVER, Volume, VolumeInfo, Volumes,
    error::VolumesError,
    events::Told,
    options,
    record::{ANONYMOUS, Record, VOLUMES},
};
use crate::{clock, names};

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Its name; made up when empty.
    pub name: String,
    /// "local", also when empty.
    pub driver: String,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

impl Volumes {
    /// Makes a volume, or finds the one of that name. With a `user`, it is in use by that container from the first moment.
    ///
    /// # Errors
    /// If the name, the driver or an option cannot be.
    pub fn create(&self, wanted: Wanted, user: Option<&str>) -> Result<VolumeInfo, VolumesError> {
        let Wanted { name, driver, options, mut labels } = wanted;
        let anonymous = name.is_empty();
        let name = if anonymous { names::new_id()? } else { name };
        if !driver.is_empty() && driver != DRIVER {
            return Err(VolumesError::Driver { name, driver });
        }
        let mut volumes = self.0.volumes();
        if let Some(volume) = volumes.get_mut(&name) {
            // moby gives the one that is there, whatever options were asked for.
            volume.users.extend(user.map(str::to_owned));
            return Ok(self.0.describe(volume));
        }
        check_name(&name)?;
        options::check(&options).map_err(|source| VolumesError::Option { name: name.clone(), source })?;
        if anonymous {
            labels.insert(ANONYMOUS.to_owned(), String::new());
        }
        let record = Record { name: name.clone(), created_at: clock::now_nanos(), labels, options };
        // Under the lock: of two who ask for the same name, the second finds the first one's.
        self.0.folders.create(&name)?;
        self.0.database.write_blocking(|changes| VOLUMES.put(changes, &name, &record))?;
        let mut volume = Volume::new(record);
        volume.users.extend(user.map(str::to_owned));
        volume.made_for = user.filter(|_| anonymous).map(str::to_owned);
        let info = self.0.describe(&volume);
        volumes.insert(name, volume);
        drop(volumes);
        self.tell(&info.record.name, Told::Create);
        Ok(info)
    }
}

fn check_name(name: &str) -> Result<(), VolumesError> {
    if name.len() == 1 {
        return Err(VolumesError::ShortName(name.to_owned()));
    }
    // 255 is the most that a folder may be called.
    if names::is_valid(name) && name.len() <= 255 { Ok(()) } else { Err(VolumesError::Name(name.to_owned())) }
}
