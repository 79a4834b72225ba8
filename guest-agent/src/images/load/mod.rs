//! Loads archives of images: what `docker save`, skopeo, buildah and others write.
//!
//! * [`spool`] — the stream, decompressed, in a file, and where its members are: the index of an archive may come last.
//! * [`docker_archive`] — `manifest.json`.
//! * [`oci_layout`] — `index.json`.
//! * [`install`] — layers built and images recorded, all or nothing.

mod docker_archive;
mod install;
mod oci_layout;
mod spool;

#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, io::Read};

use serde::de::DeserializeOwned;

pub(super) use install::{Installation, NewImage, build_layer};
pub(super) use spool::Spool;

use super::digest::Digest;
use super::error::Kind;
use super::reference::Reference;
use super::{ImageStore, ImagesError};

/// An image that was loaded, under one of its references.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedImage {
    /// "sha256:...".
    pub id: String,
    /// Its reference, familiar form; `None` if the archive names none.
    pub reference: Option<String>,
}

/// An image of an archive.
struct Found {
    /// Its configuration document.
    config: Vec<u8>,
    /// Members that are its layers' tars, the lowest first.
    layers: Vec<String>,
    /// Its references.
    references: Vec<Reference>,
}

impl ImageStore {
    /// Loads all images of an archive: docker-archive or OCI layout, plain, gzip or zstd. Memory is bounded; the data disk
    /// holds the archive meanwhile.
    ///
    /// # Errors
    /// The archive is not what it says, or the disk is full. Nothing is kept then.
    pub fn load(&self, archive: impl Read) -> Result<Vec<LoadedImage>, ImagesError> {
        let spool = Spool::fill(self, archive)?;
        self.load_spooled(&spool, None)
    }

    /// Loads from a spooled archive; with `builtin`, notes in the same transaction that this archive was loaded.
    pub(super) fn load_spooled(
        &self,
        spool: &Spool,
        builtin: Option<&Digest>,
    ) -> Result<Vec<LoadedImage>, ImagesError> {
        let found = if spool.has(docker_archive::MANIFEST) {
            docker_archive::read(spool)?
        } else if spool.has(oci_layout::INDEX) {
            oci_layout::read(spool, &self.0.config.arch)?
        } else {
            return Err(ImagesError::Archive("neither manifest.json nor index.json is in it".to_owned()));
        };
        let mut installation = Installation::new(self);
        for image in found {
            let layers = image.layers.iter().map(String::as_str).collect::<Vec<_>>();
            let new = NewImage { config: image.config, references: image.references, origin: None, parent: None };
            installation.add(spool, new, &layers)?;
        }
        let loaded = installation.loaded();
        installation.commit(builtin)?;
        let ids: BTreeSet<&str> = loaded.iter().map(|image| image.id.as_str()).collect();
        ids.into_iter().for_each(|id| self.tell("load", id, id));
        Ok(loaded)
    }

    /// Turns a full disk into an error that says what was needed: at least `known_bytes`, and more than there is.
    /// `held_bytes` are those that the operation itself still takes.
    pub(super) fn explain_full(
        &self,
        error: ImagesError,
        what: &str,
        known_bytes: u64,
        held_bytes: u64,
    ) -> ImagesError {
        if error.kind() != Kind::Full || matches!(error, ImagesError::Full { .. }) {
            return error;
        }
        let free_bytes = self.free_bytes().unwrap_or_default().saturating_add(held_bytes);
        // How much a compressed layer needs is not known; that it needs more than is free, is.
        let needed_bytes = known_bytes.max(free_bytes.saturating_add(1));
        ImagesError::Full { what: what.to_owned(), needed_bytes, free_bytes }
    }
}

/// Reads a JSON document of the archive.
fn document<T: DeserializeOwned>(spool: &Spool, name: &str) -> Result<T, ImagesError> {
    parse(&spool.small(name)?, name)
}

fn parse<T: DeserializeOwned>(bytes: &[u8], name: &str) -> Result<T, ImagesError> {
    serde_json::from_slice(bytes).map_err(|source| ImagesError::Document { document: name.to_owned(), source })
}
