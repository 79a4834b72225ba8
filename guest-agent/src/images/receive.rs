//! Takes in an image that the host fetches from a registry: several layers at once, each verified, decompressed and
//! unpacked in one pass, with nothing of it on the disk but its tree.
//!
//! ```text
//! receive ──▶ Receipt ──(layers come: Incoming::layer)──▶ commit ──▶ an image
//!                └──────────── dropped ──▶ nothing
//! ```

#[cfg(test)]
mod tests;

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::catalogue::{OriginRecord, RemoteLayer};
use super::config::{Document, LARGEST_DOCUMENT};
use super::digest::{Digest, HashingReader};
use super::load::{Installation, NewImage, build_layer};
use super::reference::Reference;
use super::store::random_name;
use super::tag::parse_tag;
use super::{ImageStore, ImagesError};

/// What comes.
#[derive(Debug, Clone, Default)]
pub struct IncomingImage {
    /// Its configuration, byte for byte.
    pub config: Vec<u8>,
    /// Its layers, the lowest first.
    pub layers: Vec<RemoteLayer>,
    /// Its manifest, byte for byte.
    pub manifest: Vec<u8>,
    /// The manifest's media type.
    pub media_type: String,
    /// Where its blobs are: "docker.io/library/alpine".
    pub repository: String,
}

/// An image that is being received, for those who bring its layers.
pub struct Incoming {
    store: ImageStore,
    image: IncomingImage,
    diff_ids: Vec<Digest>,
    chains: Vec<String>,
    /// `None` once it is committed.
    installation: Mutex<Option<Installation>>,
    ended: AtomicBool,
}

/// The right to make a received image last. When it is dropped, what came is dropped too.
pub struct Receipt {
    name: String,
    missing: Vec<usize>,
    incoming: Arc<Incoming>,
}

impl ImageStore {
    /// Begins to receive an image: keeps those of its layers that are there, and says which are missing.
    ///
    /// # Errors
    /// The configuration is wrong or does not fit the layers, or the disk has no room for the missing ones.
    pub fn receive(&self, image: IncomingImage) -> Result<Receipt, ImagesError> {
        for (what, bytes) in [("image configuration", &image.config), ("manifest", &image.manifest)] {
            if bytes.len() as u64 > LARGEST_DOCUMENT {
                let size = bytes.len();
                return Err(ImagesError::Archive(format!("the {what} has {size} bytes, more than {LARGEST_DOCUMENT}")));
            }
        }
        let document = Document::parse(&image.config)?;
        let mut installation = Installation::new(self);
        let chains = installation.expect(&document, image.layers.len())?;
        let (mut missing, mut missing_bytes) = (Vec::new(), 0_u64);
        for (index, (chain, layer)) in chains.iter().zip(&image.layers).enumerate() {
            if installation.lacks(chain)? {
                missing.push(index);
                missing_bytes = missing_bytes.saturating_add(layer.size_bytes);
            }
        }
        installation.check_space(missing_bytes)?;
        let incoming = Arc::new(Incoming {
            store: self.clone(),
            diff_ids: document.diff_ids().to_vec(),
            image,
            chains,
            installation: Mutex::new(Some(installation)),
            ended: AtomicBool::new(false),
        });
        let name = random_name(&self.0.config.root)?;
        self.note_incoming(&name, Some(Arc::clone(&incoming)));
        Ok(Receipt { name, missing, incoming })
    }

    /// The image that is being received under this name.
    ///
    /// # Errors
    /// It is not, or no longer.
    pub fn incoming_image(&self, receipt: &str) -> Result<Arc<Incoming>, ImagesError> {
        self.incoming(receipt).ok_or_else(|| ImagesError::NoReceipt(receipt.to_owned()))
    }
}

impl Incoming {
    /// Takes in a layer, as the registry has it. `progress` hears how many of its bytes have been taken. Returns how many
    /// there were.
    ///
    /// # Errors
    /// It is not what the manifest and the configuration say, the disk is full, or the image is no longer received. The
    /// layer may be brought again then.
    pub fn layer(
        &self,
        index: usize,
        source: impl Read + Send,
        progress: impl FnMut(u64) + Send,
    ) -> Result<u64, ImagesError> {
        let no_layer = || ImagesError::NoLayer(index.to_string());
        let (remote, diff_id) = self.image.layers.get(index).zip(self.diff_ids.get(index)).ok_or_else(no_layer)?;
        let chain = self.chains.get(index).ok_or_else(no_layer)?;
        let mut source =
            HashingReader::new(Watched { source, incoming: self, bytes: 0, most: remote.size_bytes, progress });
        let layer = build_layer(&self.store, &mut source, Some(diff_id), remote.size_bytes)?;
        let (actual, actual_bytes) = source.finish();
        if actual != remote.digest || actual_bytes != remote.size_bytes {
            let (expected, expected_bytes) = (remote.digest.clone(), remote.size_bytes);
            return Err(ImagesError::WrongLayer { expected, expected_bytes, actual, actual_bytes });
        }
        let mut installation = self.installation();
        let installation = installation.as_mut().ok_or_else(|| ImagesError::NoReceipt("committed".to_owned()))?;
        installation.take(chain, layer);
        Ok(actual_bytes)
    }

    /// Puts the image on top of its layers, once and for all.
    fn put(&self, image: NewImage) -> Result<Installation, ImagesError> {
        let mut slot = self.installation();
        let over = || ImagesError::NoReceipt("committed".to_owned());
        slot.as_mut().ok_or_else(over)?.put(image)?;
        slot.take().ok_or_else(over)
    }

    fn installation(&self) -> MutexGuard<'_, Option<Installation>> {
        // Layers are added whole: what a panicking thread left is as good as any.
        self.installation.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receipt {
    /// What names it to those who bring layers.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Layers that are missing.
    #[must_use]
    pub fn missing(&self) -> &[usize] {
        &self.missing
    }

    /// Makes the image last, under these references. `pushed` says that the host sent it there, rather than fetched it.
    /// Returns its id, and whether it was there before.
    ///
    /// # Errors
    /// A reference is malformed, a layer has not come, or the disk fails. Nothing is kept then.
    pub fn commit(&self, tags: &[String], digests: &[String], pushed: bool) -> Result<(String, bool), ImagesError> {
        let references = references(tags, digests)?;
        let incoming = &self.incoming;
        let id = Digest::of(&incoming.image.config).to_string();
        let known = incoming.store.0.catalogue.read()?.image(&id)?.is_some();
        let image = NewImage {
            config: incoming.image.config.clone(),
            references: references.clone(),
            origin: incoming.image.origin(),
            parent: None,
        };
        incoming.put(image)?.commit(None)?;
        let action = if pushed { "push" } else { "pull" };
        // dockerd tells it once, by the name that was asked for; a pull by digest has no other.
        let named = references.iter().take(tags.len().max(1));
        named.for_each(|reference| incoming.store.tell(action, &reference.familiar(), &reference.familiar_name()));
        Ok((id, known))
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        self.incoming.ended.store(true, Ordering::Relaxed);
        self.incoming.store.note_incoming(&self.name, None);
        // Now, and not when the last layer on its way has noticed.
        let dropped = self.incoming.installation().take();
        drop(dropped);
    }
}

impl IncomingImage {
    /// Where the image is to be found, if it comes from a registry.
    fn origin(&self) -> Option<OriginRecord> {
        (!self.manifest.is_empty()).then(|| OriginRecord {
            manifest: self.manifest.clone(),
            media_type: self.media_type.clone(),
            repositories: vec![self.repository.clone()],
            layers: self.layers.clone(),
        })
    }
}

fn references(tags: &[String], digests: &[String]) -> Result<Vec<Reference>, ImagesError> {
    let mut references = Vec::new();
    for tag in tags {
        references.push(parse_tag(tag)?);
    }
    for digest in digests {
        let reference = Reference::parse(digest)?;
        if !reference.has_digest() {
            return Err(ImagesError::NoDigest(digest.clone()));
        }
        references.push(reference);
    }
    Ok(references)
}

/// Reads no more than the manifest says, and no longer than the image is received.
struct Watched<'a, R, P> {
    source: R,
    incoming: &'a Incoming,
    bytes: u64,
    most: u64,
    progress: P,
}

impl<R: Read, P: FnMut(u64)> Read for Watched<'_, R, P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.incoming.ended.load(Ordering::Relaxed) {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the image is no longer received"));
        }
        let count = self.source.read(buffer)?;
        self.bytes += count as u64;
        if self.bytes > self.most {
            let message = format!("the layer has more than {} bytes", self.most);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        (self.progress)(self.bytes);
        Ok(count)
    }
}
