//! Volumes: folders on the data disk that outlive containers.
//!
//! ```text
//! volumes/NAME/_data    what containers see
//! volumes/NAME/_fill    a copy of what an image has, while it is being made
//! volumes/NAME/_move    the same, complete, on its way into _data
//! volumes/.removed/ID   a folder on its way out; the rename is what makes a removal certain
//! ```
//!
//! A volume is its folder and a record of its labels and options. The folder comes first and goes first; a folder without
//! a record is somebody's data and becomes a volume ([`open`]). Who uses a volume is known from the containers, not written
//! down a second time.
//!
//! * Verbs: [`create`], [`inspect`], [`list`], [`remove`], [`prune`].
//! * For containers: [`hold`] (who uses what), [`fill`] (what the image has at the place, by [`copy`]), [`mount`].
//! * [`options`] — of the local driver. [`filters`], [`size`], [`folder`], [`record`].
//! * [`events`] — what happens, told.
//!
//! All calls block; callers on the runtime use `spawn_blocking`.

mod copy;
mod create;
mod error;
mod events;
mod fill;
mod filters;
mod folder;
mod hold;
mod inspect;
mod list;
mod mount;
mod open;
mod options;
mod prune;
mod record;
mod remove;
mod size;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
};

pub use self::{
    create::Wanted,
    error::{Kind, VolumesError},
    filters::FilterError,
    mount::MountedAt,
    options::OptionError,
    prune::Pruned,
    record::Record,
};
use self::{folder::Folders, record::ANONYMOUS};
use crate::{events::Events, state::Database};

/// The one driver.
pub const DRIVER: &str = "local";

/// All volumes; clones share them.
#[derive(Clone)]
pub struct Volumes(Arc<Store>);

struct Store {
    database: Database,
    folders: Folders,
    volumes: Mutex<BTreeMap<String, Volume>>,
    pruning: AtomicBool,
    events: Events,
}

/// A volume, to this module.
struct Volume {
    record: Record,
    /// Ids of the containers that use it, running or not.
    users: BTreeSet<String>,
    /// The container that it was made for without a name, as long as that is being created.
    made_for: Option<String>,
    /// Ids of the running containers that see it.
    mounted_by: BTreeSet<String>,
    /// Held while it is filled, so that one container fills it and the others find it full.
    filling: Arc<Mutex<()>>,
}

/// All about a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeInfo {
    /// What is kept of it.
    pub record: Record,
    /// Where it is in the guest.
    pub mountpoint: PathBuf,
    /// How many containers use it.
    pub containers: usize,
    /// Bytes in it, when asked for; none when they cannot be counted.
    pub bytes: Option<u64>,
}

impl VolumeInfo {
    /// Whether it was made without a name.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.record.is_anonymous()
    }
}

impl std::fmt::Debug for Volumes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Volumes(..)")
    }
}

impl Volume {
    fn new(record: Record) -> Self {
        let (users, mounted_by) = (BTreeSet::new(), BTreeSet::new());
        Self { record, users, made_for: None, mounted_by, filling: Arc::default() }
    }
}

impl Store {
    fn volumes(&self) -> MutexGuard<'_, BTreeMap<String, Volume>> {
        self.volumes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn describe(&self, volume: &Volume) -> VolumeInfo {
        VolumeInfo {
            record: volume.record.clone(),
            mountpoint: self.folders.data(&volume.record.name),
            containers: volume.users.len(),
            bytes: None,
        }
    }
}

impl Volumes {
    /// The label by which volumes that were made without a name are told from others: dockerd's.
    pub const ANONYMOUS: &'static str = ANONYMOUS;

    /// Where what containers see of a volume is.
    #[must_use]
    pub fn mountpoint(&self, name: &str) -> PathBuf {
        self.0.folders.data(name)
    }
}
