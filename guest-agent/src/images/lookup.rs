//! From what a user writes to an image: a reference, an id, or a prefix of an id, tried in dockerd's order.

use super::catalogue::{RemoteLayer, View};
use super::config::{Document, ImageConfig};
use super::reference::{Reference, Wanted, parse_wanted};
use super::{ImageStore, ImagesError};

/// All about an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSummary {
    /// "sha256:...".
    pub id: String,
    /// "name:tag", the familiar form.
    pub tags: Vec<String>,
    /// "name@sha256:...", the familiar form.
    pub digests: Vec<String>,
    /// When its author made it, in nanoseconds since 1970; 0 if unknown.
    pub created_nanos: i64,
    /// When it was last given a reference; 0 for never.
    pub tagged_nanos: i64,
    /// Operating system in Go's words.
    pub os: String,
    /// Architecture in Go's words.
    pub arch: String,
    /// Variant of the architecture.
    pub variant: String,
    /// Bytes of the files of its layers.
    pub size_bytes: u64,
    /// Digests of its layers' tars, the lowest first.
    pub layer_diff_ids: Vec<String>,
    /// Bytes of the files of each layer, in the same order.
    pub layer_bytes: Vec<u64>,
    /// How containers of it run.
    pub config: ImageConfig,
    /// The document whose digest is the id.
    pub config_json: Vec<u8>,
    /// Number of containers that were made from it.
    pub containers: u32,
    /// The image that it was made on, if that is still there; else empty.
    pub parent: String,
    /// The manifest that it came with; empty if it came from no registry.
    pub manifest: Vec<u8>,
    /// Media type of that manifest.
    pub manifest_media_type: String,
    /// Repositories that have that manifest's blobs.
    pub repositories: Vec<String>,
    /// Its layers as that manifest names them, the lowest first.
    pub remote_layers: Vec<RemoteLayer>,
}

impl ImageStore {
    /// The image that a user means.
    ///
    /// # Errors
    /// There is none, or the name is malformed.
    pub fn resolve(&self, image: &str) -> Result<ImageSummary, ImagesError> {
        let view = self.0.catalogue.read()?;
        let id = find(&view, image)?;
        let references = view.references()?;
        let holds = view.holds()?;
        let containers = holds.iter().filter(|(_, hold)| hold.image == id).count();
        summary(&view, &id, &references, containers)?.ok_or_else(|| ImagesError::NotFound(image.to_owned()))
    }
}

/// The id of the image that a user means.
pub(super) fn find(view: &View, written: &str) -> Result<String, ImagesError> {
    let name = match parse_wanted(written)? {
        Wanted::Id(id) => {
            let id = id.to_string();
            return if view.image(&id)?.is_some() { Ok(id) } else { Err(ImagesError::NotFound(id)) };
        }
        Wanted::Name(name) => name.or_latest(),
    };
    if let Some(id) = view.id_of(&name.canonical())? {
        return Ok(id);
    }
    find_by_prefix(view, written)?.ok_or_else(|| ImagesError::NotFound(name.familiar()))
}

/// The one image whose id starts with `written`, with or without "sha256:".
fn find_by_prefix(view: &View, written: &str) -> Result<Option<String>, ImagesError> {
    let digits = written.strip_prefix("sha256:").unwrap_or(written);
    let is_hex = !digits.is_empty() && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !is_hex {
        return Ok(None);
    }
    let mut ids = view.ids_with_prefix(&format!("sha256:{digits}"))?;
    // dockerd treats an ambiguous prefix as no image.
    Ok(if ids.len() == 1 { ids.pop() } else { None })
}

/// All about the image `id`, given all references and the number of its containers.
pub(super) fn summary(
    view: &View,
    id: &str,
    references: &[(String, String)],
    containers: usize,
) -> Result<Option<ImageSummary>, ImagesError> {
    let (Some(record), Some(config_json)) = (view.image(id)?, view.config(id)?) else { return Ok(None) };
    let document = Document::parse(&config_json)?;
    let mut layer_bytes = Vec::new();
    for chain in &record.layers {
        layer_bytes.push(view.layer(chain)?.map_or(0, |layer| layer.content_bytes));
    }
    let (mut tags, mut digests) = (Vec::new(), Vec::new());
    for (reference, _) in references.iter().filter(|(_, of)| of == id) {
        let reference = Reference::parse(reference)?;
        let list = if reference.has_digest() { &mut digests } else { &mut tags };
        list.push(reference.familiar());
    }
    let origin = view.origin(id)?.unwrap_or_default();
    let parent = view.parents()?.into_iter().find(|(child, _)| child == id).map(|(_, parent)| parent);
    let parent = match parent {
        Some(parent) if view.image(&parent)?.is_some() => parent,
        _ => String::new(),
    };
    Ok(Some(ImageSummary {
        id: id.to_owned(),
        tags,
        digests,
        created_nanos: record.created_nanos,
        tagged_nanos: record.tagged_nanos,
        layer_diff_ids: document.diff_ids().iter().map(ToString::to_string).collect(),
        layer_bytes,
        os: document.os,
        arch: document.architecture,
        variant: document.variant,
        size_bytes: record.size_bytes,
        config: document.config.unwrap_or_default(),
        config_json,
        containers: u32::try_from(containers).unwrap_or(u32::MAX),
        parent,
        manifest: origin.manifest,
        manifest_media_type: origin.media_type,
        repositories: origin.repositories,
        remote_layers: origin.layers,
    }))
}
