//! Installs images: builds the layers that are missing, then records all images in one transaction. Until then nothing is
//! to be seen of them, and when it does not come to that nothing is left.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::{LoadedImage, Spool};
use crate::images::catalogue::{Change, ImageRecord, LayerRecord, OriginRecord};
use crate::images::config::Document;
use crate::images::digest::Digest;
use crate::images::error::at;
use crate::images::layers::build;
use crate::images::moments::moment;
use crate::images::reference::Reference;
use crate::images::store::{Pin, sync_folder};
use crate::images::tag::{now_nanos, put_tag};
use crate::images::temporary::Temporary;
use crate::images::{ImageStore, ImagesError};

/// How many layers of an archive are built at once: what dockerd fetches at once of a registry.
const AT_ONCE: usize = 3;

/// An image to install.
pub(crate) struct NewImage {
    /// Its configuration document.
    pub(crate) config: Vec<u8>,
    /// References to give it.
    pub(crate) references: Vec<Reference>,
    /// Where it is to be found.
    pub(crate) origin: Option<OriginRecord>,
    /// The image that it was made on.
    pub(crate) parent: Option<String>,
}

/// Images on their way into the store.
pub(crate) struct Installation {
    store: ImageStore,
    /// Keep layers that are in the store already.
    pins: Vec<Pin>,
    /// Layers that are new, by chain id.
    built: BTreeMap<String, NewLayer>,
    images: Vec<Ready>,
}

/// A layer that is to be built.
struct Wanted<'a> {
    chain: &'a str,
    diff_id: &'a Digest,
    member: &'a str,
}

/// An image whose layers are all there.
struct Ready {
    id: String,
    record: ImageRecord,
    image: NewImage,
}

/// A layer that was built and is not in its place yet.
pub(crate) struct NewLayer {
    record: LayerRecord,
    folder: Temporary,
}

impl NewLayer {
    /// Digest of its tar.
    pub(crate) fn diff_id(&self) -> &Digest {
        &self.record.diff_id
    }
}

impl Installation {
    pub(crate) fn new(store: &ImageStore) -> Self {
        Self { store: store.clone(), pins: Vec::new(), built: BTreeMap::new(), images: Vec::new() }
    }

    /// Installs an image whose layers are these members of `spool`.
    pub(crate) fn add(&mut self, spool: &Spool, image: NewImage, members: &[&str]) -> Result<(), ImagesError> {
        let document = Document::parse(&image.config)?;
        let chains = self.expect(&document, members.len())?;
        let mut missing_bytes = 0;
        for (chain, member) in chains.iter().zip(members) {
            missing_bytes += if self.lacks(chain)? { spool.size(member)? } else { 0 };
        }
        self.check_space(missing_bytes)?;
        let mut wanted = Vec::new();
        for ((chain, diff_id), member) in chains.iter().zip(document.diff_ids()).zip(members) {
            if self.lacks(chain)? {
                wanted.push(Wanted { chain, diff_id, member });
            }
        }
        for (chain, layer) in build_all(&self.store, spool, wanted)? {
            self.take(chain, layer);
        }
        self.put(image)
    }

    /// Installs an image whose layers are there, but for the highest if that is new.
    pub(crate) fn add_top(&mut self, top: Option<NewLayer>, image: NewImage) -> Result<(), ImagesError> {
        let document = Document::parse(&image.config)?;
        let chains = self.expect(&document, document.diff_ids().len())?;
        if let Some((highest, top)) = chains.last().zip(top) {
            self.take(highest, top);
        }
        self.put(image)
    }

    /// Checks an image of so many layers, and keeps those that are there. Returns the chain ids of all.
    pub(crate) fn expect(&mut self, document: &Document, layers: usize) -> Result<Vec<String>, ImagesError> {
        self.check(document, layers)?;
        let chains = chain_ids(document.diff_ids());
        // Pinned before looked for: what is there stays there.
        self.pins.push(self.store.pin(chains.clone()));
        Ok(chains)
    }

    /// Whether a layer has yet to come.
    pub(crate) fn lacks(&self, chain: &str) -> Result<bool, ImagesError> {
        Ok(!self.built.contains_key(chain) && self.store.0.catalogue.read()?.layer(chain)?.is_none())
    }

    /// Takes a layer; if it has it already, the new one goes.
    pub(crate) fn take(&mut self, chain: &str, layer: NewLayer) {
        self.built.entry(chain.to_owned()).or_insert(layer);
    }

    /// Takes an image, all of whose layers are there.
    pub(crate) fn put(&mut self, image: NewImage) -> Result<(), ImagesError> {
        let document = Document::parse(&image.config)?;
        let layers = chain_ids(document.diff_ids());
        let mut size_bytes = 0;
        for (index, chain) in layers.iter().enumerate() {
            size_bytes += self.content_bytes(chain)?.ok_or(ImagesError::MissingLayer(index))?;
        }
        let created_nanos = document.created_nanos().unwrap_or_default();
        let record = ImageRecord { layers, size_bytes, created_nanos, tagged_nanos: 0 };
        self.images.push(Ready { id: Digest::of(&image.config).to_string(), record, image });
        Ok(())
    }

    /// The images under each of their references, in order.
    pub(crate) fn loaded(&self) -> Vec<LoadedImage> {
        let mut loaded = Vec::new();
        for Ready { id, image, .. } in &self.images {
            let named = |reference| LoadedImage { id: id.clone(), reference };
            if image.references.is_empty() {
                loaded.push(named(None));
            }
            loaded.extend(image.references.iter().map(|reference| named(Some(reference.familiar()))));
        }
        loaded
    }

    /// Makes it last: data, names, catalogue, in this order.
    pub(crate) fn commit(mut self, builtin: Option<&Digest>) -> Result<(), ImagesError> {
        let layers = self.place_layers()?;
        moment();
        self.store.0.catalogue.write(|change| {
            for (chain, record) in &layers {
                change.put_layer(chain, record)?;
            }
            for image in &self.images {
                image.record(change)?;
            }
            if let Some(digest) = builtin {
                change.note_builtin(&digest.to_string())?;
            }
            moment();
            Ok::<_, ImagesError>(())
        })?;
        moment();
        Ok(())
    }

    /// Moves new layers to their places, durably.
    fn place_layers(&mut self) -> Result<Vec<(String, LayerRecord)>, ImagesError> {
        let folder = self.store.layers_folder();
        if !self.built.is_empty() {
            let open = fs::File::open(&folder).map_err(at("open", &folder))?;
            moment();
            rustix::fs::syncfs(&open).map_err(|error| at("sync", &folder)(error.into()))?;
            moment();
        }
        let mut layers = Vec::new();
        for (chain, layer) in std::mem::take(&mut self.built) {
            let place = self.store.layer_folder(&chain);
            // If another load was faster, its folder has the same content and ours goes.
            match fs::rename(layer.folder.path(), &place) {
                Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => {}
                moved => moved.map_err(at("move into place", &place))?,
            }
            moment();
            layers.push((chain, layer.record));
        }
        sync_folder(&folder)?;
        Ok(layers)
    }

    fn check(&self, document: &Document, layers: usize) -> Result<(), ImagesError> {
        if document.os != "linux" && !document.os.is_empty() {
            return Err(ImagesError::WrongSystem(document.os.clone()));
        }
        let expected = document.diff_ids().len();
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

    /// Fails before anything is written if the layers as they come do not fit.
    pub(crate) fn check_space(&self, needed_bytes: u64) -> Result<(), ImagesError> {
        let free_bytes = self.store.free_bytes()?;
        if needed_bytes > free_bytes {
            let what = "unpacking the layers".to_owned();
            return Err(ImagesError::Full { what, needed_bytes, free_bytes });
        }
        Ok(())
    }

    /// Bytes of a layer's files, if it is there.
    fn content_bytes(&self, chain: &str) -> Result<Option<u64>, ImagesError> {
        if let Some(layer) = self.built.get(chain) {
            return Ok(Some(layer.record.content_bytes));
        }
        Ok(self.store.0.catalogue.read()?.layer(chain)?.map(|record| record.content_bytes))
    }
}

impl Ready {
    /// Writes it down; what is known already of where it is to be found stays if it is the same manifest.
    fn record(&self, change: &Change) -> Result<(), ImagesError> {
        let known = change.image(&self.id)?;
        let mut record = self.record.clone();
        record.tagged_nanos = known.map_or(0, |known| known.tagged_nanos);
        change.put_image(&self.id, &record)?;
        change.put_config(&self.id, &self.image.config)?;
        for reference in &self.image.references {
            record.tagged_nanos = now_nanos();
            put_tag(change, &self.id, record.clone(), reference)?;
        }
        if let Some(parent) = &self.image.parent {
            change.put_parent(&self.id, parent)?;
        }
        if let Some(origin) = &self.image.origin {
            let mut origin = origin.clone();
            if let Some(known) = change.origin(&self.id)?.filter(|known| known.manifest == origin.manifest) {
                let new = std::mem::replace(&mut origin.repositories, known.repositories);
                let new = new.into_iter().filter(|repository| !origin.repositories.contains(repository));
                let new: Vec<String> = new.collect();
                origin.repositories.extend(new);
            }
            change.put_origin(&self.id, &origin)?;
        }
        Ok(())
    }
}

/// Builds layers of an archive, several at once: each has a thread that decompresses and hashes and one that unpacks, and
/// neither fills a processor all the time.
fn build_all<'a>(
    store: &ImageStore,
    spool: &Spool,
    wanted: Vec<Wanted<'a>>,
) -> Result<Vec<(&'a str, NewLayer)>, ImagesError> {
    let queue = Mutex::new(wanted.into_iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let build_some = || {
        let mut built = Vec::new();
        while let Some(Wanted { chain, diff_id, member }) = next() {
            let layer =
                spool.open(member).and_then(|source| build_layer(store, source, Some(diff_id), spool.size(member)?));
            // After a failure there is nothing left to do for the others either.
            built.push((chain, layer.inspect_err(|_| while next().is_some() {})?));
        }
        Ok(built)
    };
    thread::scope(|scope| {
        let builders: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(build_some)).collect();
        let built = builders.into_iter().map(|builder| builder.join().unwrap_or_else(|_| Err(ImagesError::Builder)));
        Ok(built.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    })
}

/// Builds a layer from its tar, which may be compressed and has at least `known_bytes`.
pub(crate) fn build_layer(
    store: &ImageStore,
    source: impl Read + Send,
    expected: Option<&Digest>,
    known_bytes: u64,
) -> Result<NewLayer, ImagesError> {
    let folder = Temporary::new(store, &store.layers_folder())?;
    let config = &store.0.config;
    let built = build(source, folder.path(), expected, config.privilege, &config.limits)
        .map_err(|error| store.explain_full(error.into(), "unpacking the layers", known_bytes, 0))?;
    moment();
    let record = LayerRecord { diff_id: built.diff_id, tar_bytes: built.tar_bytes, content_bytes: built.content_bytes };
    Ok(NewLayer { record, folder })
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
