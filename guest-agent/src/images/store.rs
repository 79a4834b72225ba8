//! The store: its folders, what it does when it is opened, and how layers come and go.
//!
//! ```text
//! ROOT/layers/<chain id>/root         tree of a layer, a lower folder of overlayfs
//! ROOT/layers/<chain id>/tar.record   what else its tar had
//! ROOT/layers/.tmp-*                  being made or removed
//! ROOT/images/.tmp-*                  archives that are being loaded
//! ```
//!
//! Durability: files first (synced), then their name (rename, folder synced), then the catalogue. So a row means that
//! its layer is whole; a folder without a row is a left-over and is removed when the store is opened.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::catalogue::{Catalogue, CatalogueError};
use super::error::at;
use super::layers::{TREE, remove_tree};
use super::moments::moment;
use super::receive::Incoming;
use super::temporary::Temporary;
use super::{ImagesError, Limits, Privilege};
use crate::events::{Event, Events, Kind};

/// Where the store is and what it may do.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Folder on the data disk.
    pub root: PathBuf,
    /// Archive of the images that come with the VM; none is fine.
    pub builtin_archive: Option<PathBuf>,
    /// Bounds on archives.
    pub limits: Limits,
    /// What the process may do to files.
    pub privilege: Privilege,
    /// Architecture of the guest in Go's words.
    pub arch: String,
    /// Where to tell what happens to images.
    pub events: Events,
}

impl StoreConfig {
    /// The agent's: everything below `root`, with the privilege of root.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let arch = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        Self {
            root: root.into(),
            builtin_archive: None,
            limits: Limits::default(),
            privilege: Privilege::Full,
            arch: arch.to_owned(),
            events: Events::default(),
        }
    }
}

/// A handle to the store. All calls block.
#[derive(Clone)]
pub struct ImageStore(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) config: StoreConfig,
    pub(super) catalogue: Catalogue,
    shared: Mutex<Shared>,
    /// What is being made or removed.
    pub(super) at_work: Mutex<BTreeSet<PathBuf>>,
    /// Whether a prune is under way.
    pub(super) pruning: AtomicBool,
}

/// What only lives as long as the agent.
#[derive(Default)]
struct Shared {
    /// Layers that a load counts on, and how many do: not to be removed meanwhile.
    pinned: BTreeMap<String, usize>,
    /// Containers that run.
    running: BTreeSet<String>,
    /// Images that are being received, by the name of the receipt.
    incoming: BTreeMap<String, Arc<Incoming>>,
}

impl ImageStore {
    /// Opens the store: removes what was left half-made, forgets what is not whole, and loads the images that come with
    /// the VM unless that was done before.
    ///
    /// # Errors
    /// The disk or the database fails. A built-in archive that cannot be loaded is logged instead: it must not keep the
    /// agent from starting.
    pub fn open(config: StoreConfig, database: Arc<redb::Database>) -> Result<Self, ImagesError> {
        let catalogue = Catalogue::open(database)?;
        let store = Self(Arc::new(Inner {
            config,
            catalogue,
            shared: Mutex::default(),
            at_work: Mutex::default(),
            pruning: AtomicBool::new(false),
        }));
        for folder in [store.layers_folder(), store.spool_folder()] {
            fs::create_dir_all(&folder).map_err(at("make", &folder))?;
        }
        store.sweep()?;
        if let Some(archive) = &store.0.config.builtin_archive
            && let Err(error) = store.load_builtin(archive)
        {
            tracing::error!(archive = %archive.display(), error = &error as &dyn std::error::Error, "the built-in image cannot be loaded");
        }
        Ok(store)
    }

    /// Tells that something happened to an image.
    pub(super) fn tell(&self, action: &str, id: &str, name: &str) {
        self.0.config.events.publish(Event::new(Kind::Image, action, id).with("name", name));
    }

    pub(super) fn layers_folder(&self) -> PathBuf {
        self.0.config.root.join("layers")
    }

    pub(super) fn spool_folder(&self) -> PathBuf {
        self.0.config.root.join("images")
    }

    /// Folder of a layer.
    pub(super) fn layer_folder(&self, chain: &str) -> PathBuf {
        self.layers_folder().join(chain.strip_prefix("sha256:").unwrap_or(chain))
    }

    /// Trees of layers in the order of overlayfs: the highest first.
    pub(super) fn trees(&self, chains: &[String]) -> Vec<PathBuf> {
        chains.iter().rev().map(|chain| self.layer_folder(chain).join(TREE)).collect()
    }

    /// Bytes that loading may still use, and no more than that.
    pub(super) fn free_bytes(&self) -> Result<u64, ImagesError> {
        let root = &self.0.config.root;
        let facts = rustix::fs::statvfs(root).map_err(|error| at("ask for the free space of", root)(error.into()))?;
        Ok(facts.f_bavail.saturating_mul(facts.f_frsize).saturating_sub(self.0.config.limits.reserved_bytes))
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        // The data is counters and a set: whatever a panicking thread left is as good as any.
        self.0.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that a container runs, or no longer does: what runs keeps its image even from a forced removal.
    pub fn set_running(&self, container: &str, running: bool) {
        if running {
            self.shared().running.insert(container.to_owned());
        } else {
            self.shared().running.remove(container);
        }
    }

    /// Layers that something counts on at the moment.
    pub(super) fn pinned(&self) -> BTreeSet<String> {
        self.shared().pinned.keys().cloned().collect()
    }

    pub(super) fn is_running(&self, container: &str) -> bool {
        self.shared().running.contains(container)
    }

    /// Notes an image that is being received; `None` when it no longer is.
    pub(super) fn note_incoming(&self, receipt: &str, incoming: Option<Arc<Incoming>>) {
        let mut shared = self.shared();
        let gone = match incoming {
            Some(incoming) => shared.incoming.insert(receipt.to_owned(), incoming),
            None => shared.incoming.remove(receipt),
        };
        // What it holds asks for the lock again when it goes.
        drop(shared);
        drop(gone);
    }

    pub(super) fn incoming(&self, receipt: &str) -> Option<Arc<Incoming>> {
        self.shared().incoming.get(receipt).cloned()
    }

    /// Keeps layers from being removed while the result lives.
    pub(super) fn pin(&self, chains: Vec<String>) -> Pin {
        let mut shared = self.shared();
        for chain in &chains {
            *shared.pinned.entry(chain.clone()).or_default() += 1;
        }
        drop(shared);
        Pin { store: self.clone(), chains }
    }

    /// Removes those of `chains` that nothing needs any more. Returns them and the bytes of their files, in the order given.
    pub(super) fn remove_unneeded(&self, chains: &[String]) -> Result<Vec<(String, u64)>, ImagesError> {
        // The lock is held over the transaction, so that no load pins a layer between the look and the removal.
        let shared = self.shared();
        let unpinned: Vec<String> =
            chains.iter().filter(|chain| !shared.pinned.contains_key(*chain)).cloned().collect();
        // Mostly there is nothing to remove, and a look costs no sync of the disk.
        if self.0.catalogue.read()?.unneeded(&unpinned)?.is_empty() {
            return Ok(Vec::new());
        }
        let removed = self.0.catalogue.write(|change| {
            let mut removed = Vec::new();
            for chain in change.unneeded(&unpinned)? {
                if let Some(layer) = change.layer(&chain)? {
                    change.remove_layer(&chain)?;
                    removed.push((chain, layer.content_bytes));
                }
            }
            Ok::<_, CatalogueError>(removed)
        })?;
        let mut graves = Vec::new();
        for (chain, _) in &removed {
            let (folder, grave) = (self.layer_folder(chain), Temporary::new(self, &self.layers_folder())?);
            moment();
            fs::rename(&folder, grave.path()).map_err(at("remove", &folder))?;
            graves.push(grave);
        }
        drop(shared);
        for grave in &graves {
            moment();
            remove_tree(grave.path()).map_err(at("remove", grave.path()))?;
        }
        Ok(removed)
    }

    /// Makes the catalogue and the disk agree.
    fn sweep(&self) -> Result<(), ImagesError> {
        for entry in entries(&self.spool_folder())? {
            remove_tree(&entry).map_err(at("remove", &entry))?;
        }
        let known = self.0.catalogue.read()?.chains()?;
        let mut whole = BTreeSet::new();
        for entry in entries(&self.layers_folder())? {
            let chain = entry.file_name().map(|name| format!("sha256:{}", name.to_string_lossy())).unwrap_or_default();
            if known.contains(&chain) {
                whole.insert(chain);
            } else {
                tracing::info!(folder = %entry.display(), "removing a left-over of the image store");
                remove_tree(&entry).map_err(at("remove", &entry))?;
            }
        }
        let lost: BTreeSet<String> = known.difference(&whole).cloned().collect();
        if !lost.is_empty() {
            self.forget_lost(&lost)?;
        }
        // Those of an image that was being removed.
        let whole: Vec<String> = whole.into_iter().collect();
        self.remove_unneeded(&whole).map(drop)
    }

    /// Forgets layers whose folders are gone, and the images that need them.
    fn forget_lost(&self, lost: &BTreeSet<String>) -> Result<(), ImagesError> {
        let images = self.0.catalogue.read()?.images()?;
        self.0.catalogue.write(|change| {
            for chain in lost {
                change.remove_layer(chain)?;
            }
            for (id, image) in images.iter().filter(|(_, image)| image.layers.iter().any(|layer| lost.contains(layer))) {
                tracing::error!(image = %id, layers = image.layers.len(), "layers of an image are gone from the disk; it is forgotten");
                change.remove_image(id)?;
                for (reference, _) in change.references()?.iter().filter(|(_, of)| of == id) {
                    change.remove_reference(reference)?;
                }
            }
            Ok(())
        })
    }
}

/// A name that nothing else has, for something of `folder`.
pub(super) fn random_name(folder: &Path) -> Result<String, ImagesError> {
    let mut random = [0; 8];
    getrandom::fill(&mut random)
        .map_err(|error| at("name a file in", folder)(std::io::Error::other(error.to_string())))?;
    Ok(format!("{:016x}", u64::from_le_bytes(random)))
}

/// Keeps layers while a load counts on them; when it ends, those that nothing else needs go.
pub(super) struct Pin {
    store: ImageStore,
    chains: Vec<String>,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut shared = self.store.shared();
        for chain in &self.chains {
            if let Some(count) = shared.pinned.get_mut(chain) {
                *count -= 1;
                if *count == 0 {
                    shared.pinned.remove(chain);
                }
            }
        }
        drop(shared);
        if let Err(error) = self.store.remove_unneeded(&self.chains) {
            tracing::warn!(error = &error as &dyn std::error::Error, "layers that nothing needs cannot be removed");
        }
    }
}

/// Makes names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> Result<(), ImagesError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at("sync", folder))
}

pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, ImagesError> {
    let read = || fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>();
    read().map_err(at("list", folder))
}
