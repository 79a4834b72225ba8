//! Installs images: builds the layers that are missing, then records all images in one transaction. Until then nothing is
//! to be seen of them, and when it does not come to that nothing is left.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::{LoadedImage, Spool};
use crate::images::catalogue::{ImageRecord, LayerRecord};
use crate::images::config::Document;
use crate::images::digest::Digest;
use crate::images::error::at;
use crate::images::layers::{build, remove_tree};
use crate::images::reference::Reference;
use crate::images::store::{Pin, sync_folder};
use crate::images::tag::{now_nanos, put_tag};
use crate::images::{ImageStore, ImagesError};

/// An image to install.
pub(crate) struct NewImage<'a> {
    /// Its configuration document.
    pub(crate) config: &'a [u8],
    /// References to give it.
    pub(crate) references: &'a [Reference],
}

/// Images on their way into the store.
pub(crate) struct Installation<'a> {
    store: &'a ImageStore,
    /// Keep layers that are in the store already.
    pins: Vec<Pin>,
    /// Layers that are new, by chain id.
    built: BTreeMap<String, (LayerRecord, Temporary)>,
    images: Vec<Ready>,
}

/// An image whose layers are all there.
struct Ready {
    id: String,
    record: ImageRecord,
    config: Vec<u8>,
    references: Vec<Reference>,
}

/// A folder that goes unless it was moved into place.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Err(error) = remove_tree(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "a half-made layer cannot be removed");
        }
    }
}

impl<'a> Installation<'a> {
    pub(crate) fn new(store: &'a ImageStore) -> Self {
        Self { store, pins: Vec::new(), built: BTreeMap::new(), images: Vec::new() }
    }

    /// Builds what the store lacks of an image whose layers are these members of `spool`.
    pub(crate) fn add(&mut self, spool: &Spool, image: &NewImage<'_>, members: &[&str]) -> Result<(), ImagesError> {
        let document = Document::parse(image.config)?;
        self.check(&document, members)?;
        let chains = chain_ids(document.diff_ids());
        // Pinned before looked for: what is there stays there.
        self.pins.push(self.store.pin(chains.clone()));
        self.check_space(spool, &chains, members)?;
        let mut size_bytes = 0;
        for ((chain, diff_id), member) in chains.iter().zip(document.diff_ids()).zip(members) {
            size_bytes += self.layer(spool, chain, diff_id, member)?;
        }
        self.images.push(Ready {
            id: Digest::of(image.config).to_string(),
            record: ImageRecord {
                layers: chains,
                size_bytes,
                created_nanos: document.created_nanos().unwrap_or_default(),
                tagged_nanos: 0,
            },
            config: image.config.to_owned(),
            references: image.references.to_owned(),
        });
        Ok(())
    }

    /// The images under each of their references, in order.
    pub(crate) fn loaded(&self) -> Vec<LoadedImage> {
        let mut loaded = Vec::new();
        for image in &self.images {
            let named = |reference| LoadedImage { id: image.id.clone(), reference };
            if image.references.is_empty() {
                loaded.push(named(None));
            }
            loaded.extend(image.references.iter().map(|reference| named(Some(reference.familiar()))));
        }
        loaded
    }

    /// Makes it last: data, names, catalogue, in this order.
    pub(crate) fn commit(mut self, builtin: Option<&Digest>) -> Result<(), ImagesError> {
        let folder = self.store.layers_folder();
        if !self.built.is_empty() {
            let open = fs::File::open(&folder).map_err(at("open", &folder))?;
            rustix::fs::syncfs(&open).map_err(|error| at("sync", &folder)(error.into()))?;
        }
        let mut layers = Vec::new();
        for (chain, (record, temporary)) in std::mem::take(&mut self.built) {
            let place = self.store.layer_folder(&chain);
            // If another load was faster, its folder has the same content and ours goes.
            match fs::rename(&temporary.0, &place) {
                Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => {}
                moved => moved.map_err(at("move into place", &place))?,
            }
            layers.push((chain, record));
        }
        sync_folder(&folder)?;
        self.store.0.catalogue.write(|change| {
            for (chain, record) in &layers {
                change.put_layer(chain, record)?;
            }
            for image in &self.images {
                let known = change.image(&image.id)?;
                let mut record =
                    ImageRecord { tagged_nanos: known.map_or(0, |known| known.tagged_nanos), ..image.record.clone() };
                change.put_image(&image.id, &record)?;
                change.put_config(&image.id, &image.config)?;
                for reference in &image.references {
                    record.tagged_nanos = now_nanos();
                    put_tag(change, &image.id, record.clone(), reference)?;
                }
            }
            if let Some(digest) = builtin {
                change.note_builtin(&digest.to_string())?;
            }
            Ok(())
        })
    }

    fn check(&self, document: &Document, members: &[&str]) -> Result<(), ImagesError> {
        if document.os != "linux" && !document.os.is_empty() {
            return Err(ImagesError::WrongSystem(document.os.clone()));
        }
        let (layers, expected) = (members.len(), document.diff_ids().len());
        if layers != expected {
            return Err(ImagesError::Archive(format!(
                "invalid manifest, layers length mismatch: expected {expected}, got {layers}"
            )));
        }
        let most = self.store.0.config.limits.layers;
        if layers > most {
            return Err(ImagesError::Archive(format!("an image of {layers} layers, more than {most}")));
        }
        let arch = &self.store.0.config.arch;
        if document.architecture != *arch {
            tracing::warn!(image = %document.architecture, guest = %arch, "the image is for another architecture");
        }
        Ok(())
    }

    /// Fails before anything is written if the members alone do not fit.
    fn check_space(&self, spool: &Spool, chains: &[String], members: &[&str]) -> Result<(), ImagesError> {
        let view = self.store.0.catalogue.read()?;
        let mut needed_bytes = 0;
        for (chain, member) in chains.iter().zip(members) {
            if view.layer(chain)?.is_none() && !self.built.contains_key(chain) {
                needed_bytes += spool.size(member)?;
            }
        }
        let free_bytes = self.store.free_bytes()?;
        if needed_bytes > free_bytes {
            let what = "unpacking the layers".to_owned();
            return Err(ImagesError::Full { what, needed_bytes, free_bytes });
        }
        Ok(())
    }

    /// Builds a layer unless it is there. Returns the bytes of its files.
    fn layer(&mut self, spool: &Spool, chain: &str, diff_id: &Digest, member: &str) -> Result<u64, ImagesError> {
        if let Some((record, _)) = self.built.get(chain) {
            return Ok(record.content_bytes);
        }
        if let Some(record) = self.store.0.catalogue.read()?.layer(chain)? {
            return Ok(record.content_bytes);
        }
        let size = spool.size(member)?;
        let (record, temporary) = build_layer(self.store, spool, member, Some(diff_id))
            .map_err(|error| self.store.explain_full(error, "unpacking the layers", size, 0))?;
        let bytes = record.content_bytes;
        self.built.insert(chain.to_owned(), (record, temporary));
        Ok(bytes)
    }

    /// Builds the one layer of an import, whose digest nobody knows yet. Returns it.
    pub(crate) fn first_layer(&mut self, spool: &Spool, member: &str) -> Result<Digest, ImagesError> {
        let size = spool.size(member)?;
        let (record, temporary) = build_layer(self.store, spool, member, None)
            .map_err(|error| self.store.explain_full(error, "unpacking the layers", size, 0))?;
        let diff_id = record.diff_id.clone();
        self.built.insert(diff_id.to_string(), (record, temporary));
        Ok(diff_id)
    }
}

fn build_layer(
    store: &ImageStore,
    spool: &Spool,
    member: &str,
    expected: Option<&Digest>,
) -> Result<(LayerRecord, Temporary), ImagesError> {
    let temporary = Temporary(ImageStore::temporary(&store.layers_folder())?);
    let config = &store.0.config;
    // The member was found before; what `open` could still say of it is no error of reading.
    let open = || spool.open(member).map_err(std::io::Error::other);
    let built = build(open, &temporary.0, expected, config.privilege, &config.limits)?;
    let record = LayerRecord { diff_id: built.diff_id, tar_bytes: built.tar_bytes, content_bytes: built.content_bytes };
    Ok((record, temporary))
}

fn chain_ids(diff_ids: &[Digest]) -> Vec<String> {
    let mut chain: Option<Digest> = None;
    let mut chains = Vec::new();
    for diff_id in diff_ids {
        let next = Digest::chain(chain.as_ref(), diff_id);
        chains.push(next.to_string());
        chain = Some(next);
    }
    chains
}
