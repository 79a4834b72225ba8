//! The record of images in the agent's database: which there are, what they are called, which layers they have and which
//! containers use them. Each change is one transaction; files are made before it and removed after it.

use std::collections::BTreeSet;
use std::sync::Arc;

use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::digest::Digest;

/// Image id → [`ImageRecord`].
const IMAGES: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("images");
/// Image id → its configuration, byte for byte.
const CONFIGS: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("image_configs");
/// Canonical reference → image id.
const REFERENCES: TableDefinition<'static, &str, &str> = TableDefinition::new("image_references");
/// Chain id → [`LayerRecord`].
const LAYERS: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("image_layers");
/// Container id → [`HoldRecord`].
const HOLDS: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("image_holds");
/// Image id → [`OriginRecord`].
const ORIGINS: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("image_origins");
/// Image id → id of the image that it was made on.
const PARENTS: TableDefinition<'static, &str, &str> = TableDefinition::new("image_parents");
/// Digest of an archive that came with the VM image and was loaded once.
const BUILTIN: TableDefinition<'static, &str, ()> = TableDefinition::new("images_builtin");

/// Why the database refused.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The database itself.
    #[error("database of images")]
    Database(#[source] Box<redb::Error>),
    /// A record that cannot be read: made by a later version, or damaged.
    #[error("a record of images cannot be read")]
    Record(#[from] postcard::Error),
}

impl From<redb::TransactionError> for CatalogueError {
    fn from(error: redb::TransactionError) -> Self {
        Self::Database(Box::new(error.into()))
    }
}

impl From<redb::TableError> for CatalogueError {
    fn from(error: redb::TableError) -> Self {
        Self::Database(Box::new(error.into()))
    }
}

impl From<redb::StorageError> for CatalogueError {
    fn from(error: redb::StorageError) -> Self {
        Self::Database(Box::new(error.into()))
    }
}

impl From<redb::CommitError> for CatalogueError {
    fn from(error: redb::CommitError) -> Self {
        Self::Database(Box::new(error.into()))
    }
}

/// An image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ImageRecord {
    /// Chain ids of its layers, the lowest first.
    pub(super) layers: Vec<String>,
    /// Bytes of the files of all its layers.
    pub(super) size_bytes: u64,
    /// When its author made it, in nanoseconds since 1970; 0 if unknown.
    pub(super) created_nanos: i64,
    /// When it was last given a reference; 0 for never.
    pub(super) tagged_nanos: i64,
}

/// A layer on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LayerRecord {
    /// Digest of its tar.
    pub(super) diff_id: Digest,
    /// Size of its tar.
    pub(super) tar_bytes: u64,
    /// Bytes of its files.
    pub(super) content_bytes: u64,
}

/// Where an image is to be found, and as what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OriginRecord {
    /// The manifest, byte for byte.
    pub(super) manifest: Vec<u8>,
    /// Its media type.
    pub(super) media_type: String,
    /// Repositories that have its blobs: "docker.io/library/alpine".
    pub(super) repositories: Vec<String>,
    /// Its layers, the lowest first.
    pub(super) layers: Vec<RemoteLayer>,
}

/// A layer as a registry has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteLayer {
    /// Digest of its bytes, "sha256:...".
    pub digest: Digest,
    /// What the manifest says it is.
    pub media_type: String,
    /// Number of its bytes.
    pub size_bytes: u64,
}

/// What a container has of an image, even when the image is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HoldRecord {
    /// Image id.
    pub(super) image: String,
    /// Chain ids of its layers, the lowest first.
    pub(super) layers: Vec<String>,
    /// The image's configuration.
    pub(super) config: Vec<u8>,
}

/// The tables.
#[derive(Clone)]
pub(super) struct Catalogue(Arc<Database>);

impl Catalogue {
    /// Makes the tables that are missing.
    pub(super) fn open(database: Arc<Database>) -> Result<Self, CatalogueError> {
        let write = database.begin_write()?;
        write.open_table(IMAGES)?;
        write.open_table(CONFIGS)?;
        write.open_table(REFERENCES)?;
        write.open_table(LAYERS)?;
        write.open_table(HOLDS)?;
        write.open_table(ORIGINS)?;
        write.open_table(PARENTS)?;
        write.open_table(BUILTIN)?;
        write.commit()?;
        Ok(Self(database))
    }

    /// A consistent view.
    pub(super) fn read(&self) -> Result<View, CatalogueError> {
        Ok(View(self.0.begin_read()?))
    }

    /// Makes a change; nothing of it happens if `change` fails.
    pub(super) fn write<T, E: From<CatalogueError>>(
        &self,
        change: impl FnOnce(&Change) -> Result<T, E>,
    ) -> Result<T, E> {
        let write = Change(self.0.begin_write().map_err(CatalogueError::from)?);
        let result = change(&write)?;
        write.0.commit().map_err(CatalogueError::from)?;
        Ok(result)
    }
}

/// A consistent view of the catalogue.
pub(super) struct View(ReadTransaction);

/// A change that is being made; it sees itself.
pub(super) struct Change(WriteTransaction);

/// What can be asked of a view.
impl View {
    pub(super) fn image(&self, id: &str) -> Result<Option<ImageRecord>, CatalogueError> {
        record(&self.0.open_table(IMAGES)?, id)
    }

    pub(super) fn images(&self) -> Result<Vec<(String, ImageRecord)>, CatalogueError> {
        records(&self.0.open_table(IMAGES)?)
    }

    /// Ids of the images whose id starts with `prefix`; two at most.
    pub(super) fn ids_with_prefix(&self, prefix: &str) -> Result<Vec<String>, CatalogueError> {
        let table = self.0.open_table(IMAGES)?;
        let mut ids = Vec::new();
        for item in table.range(prefix..)?.take(2) {
            let id = item?.0.value().to_owned();
            if id.starts_with(prefix) {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    pub(super) fn config(&self, id: &str) -> Result<Option<Vec<u8>>, CatalogueError> {
        Ok(self.0.open_table(CONFIGS)?.get(id)?.map(|config| config.value().to_owned()))
    }

    pub(super) fn id_of(&self, canonical: &str) -> Result<Option<String>, CatalogueError> {
        Ok(self.0.open_table(REFERENCES)?.get(canonical)?.map(|id| id.value().to_owned()))
    }

    /// Canonical references and the ids that they mean.
    pub(super) fn references(&self) -> Result<Vec<(String, String)>, CatalogueError> {
        references(&self.0.open_table(REFERENCES)?)
    }

    pub(super) fn layer(&self, chain: &str) -> Result<Option<LayerRecord>, CatalogueError> {
        record(&self.0.open_table(LAYERS)?, chain)
    }

    pub(super) fn chains(&self) -> Result<BTreeSet<String>, CatalogueError> {
        let table = self.0.open_table(LAYERS)?;
        let mut chains = BTreeSet::new();
        for item in table.iter()? {
            chains.insert(item?.0.value().to_owned());
        }
        Ok(chains)
    }

    pub(super) fn hold(&self, container: &str) -> Result<Option<HoldRecord>, CatalogueError> {
        record(&self.0.open_table(HOLDS)?, container)
    }

    pub(super) fn holds(&self) -> Result<Vec<(String, HoldRecord)>, CatalogueError> {
        records(&self.0.open_table(HOLDS)?)
    }

    /// As [`Change::unneeded`], of layers that are recorded: what a look can tell without a change.
    pub(super) fn unneeded(&self, chains: &[String]) -> Result<Vec<String>, CatalogueError> {
        let mut chains = unneeded(&self.0.open_table(IMAGES)?, &self.0.open_table(HOLDS)?, chains)?;
        let layers = self.0.open_table(LAYERS)?;
        let mut recorded = Vec::new();
        for chain in chains.drain(..) {
            if layers.get(chain.as_str())?.is_some() {
                recorded.push(chain);
            }
        }
        Ok(recorded)
    }

    pub(super) fn origin(&self, id: &str) -> Result<Option<OriginRecord>, CatalogueError> {
        record(&self.0.open_table(ORIGINS)?, id)
    }

    /// Images that were made on another one, and that one.
    pub(super) fn parents(&self) -> Result<Vec<(String, String)>, CatalogueError> {
        references(&self.0.open_table(PARENTS)?)
    }

    pub(super) fn builtin_was_loaded(&self, digest: &str) -> Result<bool, CatalogueError> {
        Ok(self.0.open_table(BUILTIN)?.get(digest)?.is_some())
    }
}

impl Change {
    pub(super) fn image(&self, id: &str) -> Result<Option<ImageRecord>, CatalogueError> {
        record(&self.0.open_table(IMAGES)?, id)
    }

    pub(super) fn config(&self, id: &str) -> Result<Option<Vec<u8>>, CatalogueError> {
        Ok(self.0.open_table(CONFIGS)?.get(id)?.map(|config| config.value().to_owned()))
    }

    pub(super) fn put_image(&self, id: &str, image: &ImageRecord) -> Result<(), CatalogueError> {
        put(&self.0, IMAGES, id, image)
    }

    pub(super) fn put_config(&self, id: &str, config: &[u8]) -> Result<(), CatalogueError> {
        self.0.open_table(CONFIGS)?.insert(id, config)?;
        Ok(())
    }

    pub(super) fn remove_image(&self, id: &str) -> Result<(), CatalogueError> {
        self.0.open_table(IMAGES)?.remove(id)?;
        self.0.open_table(CONFIGS)?.remove(id)?;
        self.0.open_table(ORIGINS)?.remove(id)?;
        self.0.open_table(PARENTS)?.remove(id)?;
        Ok(())
    }

    /// Notes that `id` was made on `parent`.
    pub(super) fn put_parent(&self, id: &str, parent: &str) -> Result<(), CatalogueError> {
        self.0.open_table(PARENTS)?.insert(id, parent)?;
        Ok(())
    }

    pub(super) fn origin(&self, id: &str) -> Result<Option<OriginRecord>, CatalogueError> {
        record(&self.0.open_table(ORIGINS)?, id)
    }

    pub(super) fn put_origin(&self, id: &str, origin: &OriginRecord) -> Result<(), CatalogueError> {
        put(&self.0, ORIGINS, id, origin)
    }

    pub(super) fn references(&self) -> Result<Vec<(String, String)>, CatalogueError> {
        references(&self.0.open_table(REFERENCES)?)
    }

    /// Makes `canonical` mean `id`.
    pub(super) fn put_reference(&self, canonical: &str, id: &str) -> Result<(), CatalogueError> {
        self.0.open_table(REFERENCES)?.insert(canonical, id)?;
        Ok(())
    }

    pub(super) fn remove_reference(&self, canonical: &str) -> Result<(), CatalogueError> {
        self.0.open_table(REFERENCES)?.remove(canonical)?;
        Ok(())
    }

    pub(super) fn put_layer(&self, chain: &str, layer: &LayerRecord) -> Result<(), CatalogueError> {
        put(&self.0, LAYERS, chain, layer)
    }

    pub(super) fn layer(&self, chain: &str) -> Result<Option<LayerRecord>, CatalogueError> {
        record(&self.0.open_table(LAYERS)?, chain)
    }

    pub(super) fn remove_layer(&self, chain: &str) -> Result<(), CatalogueError> {
        self.0.open_table(LAYERS)?.remove(chain)?;
        Ok(())
    }

    pub(super) fn put_hold(&self, container: &str, hold: &HoldRecord) -> Result<(), CatalogueError> {
        put(&self.0, HOLDS, container, hold)
    }

    pub(super) fn remove_hold(&self, container: &str) -> Result<Option<HoldRecord>, CatalogueError> {
        let mut table = self.0.open_table(HOLDS)?;
        let removed = table.remove(container)?;
        Ok(removed.map(|hold| postcard::from_bytes(hold.value())).transpose()?)
    }

    pub(super) fn note_builtin(&self, digest: &str) -> Result<(), CatalogueError> {
        self.0.open_table(BUILTIN)?.insert(digest, ())?;
        Ok(())
    }

    /// Of `chains`, those that no image and no container needs.
    pub(super) fn unneeded(&self, chains: &[String]) -> Result<Vec<String>, CatalogueError> {
        unneeded(&self.0.open_table(IMAGES)?, &self.0.open_table(HOLDS)?, chains)
    }
}

type Bytes<'a> = &'a [u8];

fn record<T: DeserializeOwned>(
    table: &impl ReadableTable<&'static str, Bytes<'static>>,
    key: &str,
) -> Result<Option<T>, CatalogueError> {
    Ok(table.get(key)?.map(|record| postcard::from_bytes(record.value())).transpose()?)
}

fn records<T: DeserializeOwned>(
    table: &impl ReadableTable<&'static str, Bytes<'static>>,
) -> Result<Vec<(String, T)>, CatalogueError> {
    let mut all = Vec::new();
    for item in table.iter()? {
        let (key, value) = item?;
        all.push((key.value().to_owned(), postcard::from_bytes(value.value())?));
    }
    Ok(all)
}

fn unneeded(
    images: &impl ReadableTable<&'static str, Bytes<'static>>,
    holds: &impl ReadableTable<&'static str, Bytes<'static>>,
    chains: &[String],
) -> Result<Vec<String>, CatalogueError> {
    let mut needed = BTreeSet::new();
    for (_, image) in records::<ImageRecord>(images)? {
        needed.extend(image.layers);
    }
    for (_, hold) in records::<HoldRecord>(holds)? {
        needed.extend(hold.layers);
    }
    Ok(chains.iter().filter(|chain| !needed.contains(*chain)).cloned().collect())
}

fn references(table: &impl ReadableTable<&'static str, &'static str>) -> Result<Vec<(String, String)>, CatalogueError> {
    let mut all = Vec::new();
    for item in table.iter()? {
        let (reference, id) = item?;
        all.push((reference.value().to_owned(), id.value().to_owned()));
    }
    Ok(all)
}

fn put<T: Serialize>(
    write: &WriteTransaction,
    table: TableDefinition<'static, &str, Bytes<'static>>,
    key: &str,
    value: &T,
) -> Result<(), CatalogueError> {
    let bytes = postcard::to_stdvec(value)?;
    write.open_table(table)?.insert(key, bytes.as_slice())?;
    Ok(())
}
