//! An OCI image layout: `index.json` names manifests, or indexes of manifests for several platforms.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Found, Spool, document, parse};
use crate::images::ImagesError;
use crate::images::digest::Digest;
use crate::images::reference::Reference;

pub(super) const INDEX: &str = "index.json";
/// Most indexes inside of indexes.
const DEEPEST: usize = 4;
/// Where containerd, and so docker, keeps the whole reference.
const IMAGE_NAME: &str = "io.containerd.image.name";
/// Where the specification keeps a name that may be only a tag.
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// On manifests that say something about an image and are none.
const ATTESTATION: &str = "vnd.docker.reference.type";

#[derive(Deserialize)]
struct Descriptor {
    digest: Digest,
    #[serde(default)]
    platform: Option<Platform>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Platform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
}

/// A manifest or an index: which, its members say. A document that is both is neither (CVE-2021-41190).
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Option<Value>,
}

/// Finds the images, for `arch` where there is a choice.
pub(super) fn read(spool: &Spool, arch: &str) -> Result<Vec<Found>, ImagesError> {
    let index: Document = document(spool, INDEX)?;
    let mut images: Vec<(Digest, Found)> = Vec::new();
    for descriptor in index.manifests.unwrap_or_default() {
        if descriptor.is_attestation() {
            continue;
        }
        let reference = descriptor.reference();
        let (manifest, image) = image(spool, &descriptor.digest, arch, DEEPEST)?;
        // One image with two tags is two descriptors.
        match images.iter_mut().find(|(known, _)| *known == manifest) {
            Some((_, known)) => known.references.extend(reference),
            None => images.push((manifest, Found { references: reference.into_iter().collect(), ..image })),
        }
    }
    if images.is_empty() {
        return Err(ImagesError::Archive("its index names no image".to_owned()));
    }
    Ok(images.into_iter().map(|(_, image)| image).collect())
}

/// The image of a manifest, or the one for `arch` of an index.
fn image(spool: &Spool, digest: &Digest, arch: &str, depth: usize) -> Result<(Digest, Found), ImagesError> {
    let document: Document = parse(&blob(spool, digest)?, &digest.to_string())?;
    match (document.manifests, document.config, document.layers) {
        (Some(manifests), None, None) => {
            let fits = |descriptor: &&Descriptor| !descriptor.is_attestation() && descriptor.is_for(arch);
            let chosen = manifests.iter().find(fits);
            let chosen =
                chosen.ok_or_else(|| ImagesError::Archive(format!("{digest} has no image for linux/{arch}")))?;
            let depth = depth.checked_sub(1);
            let depth = depth.ok_or_else(|| ImagesError::Archive("too many indexes inside of indexes".to_owned()))?;
            image(spool, &chosen.digest, arch, depth)
        }
        (None, Some(config), layers) => {
            let config = blob(spool, &config.digest)?;
            let layers = layers.unwrap_or_default();
            let layers: Vec<Descriptor> = serde_json::from_value(layers)
                .map_err(|source| ImagesError::Document { document: digest.to_string(), source })?;
            let layers = layers.iter().map(|layer| member(&layer.digest)).collect();
            Ok((digest.clone(), Found { config, layers, references: Vec::new() }))
        }
        _ => Err(ImagesError::Archive(format!("{digest} is neither a manifest nor an index"))),
    }
}

/// A small blob, its digest proven.
fn blob(spool: &Spool, digest: &Digest) -> Result<Vec<u8>, ImagesError> {
    let bytes = spool.small(&member(digest))?;
    let actual = Digest::of(&bytes);
    if actual == *digest {
        Ok(bytes)
    } else {
        Err(ImagesError::Archive(format!("blob {digest} has the digest {actual}")))
    }
}

fn member(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

impl Descriptor {
    fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(key).map(String::as_str)
    }

    fn is_attestation(&self) -> bool {
        self.annotation(ATTESTATION).is_some()
    }

    fn is_for(&self, arch: &str) -> bool {
        self.platform.as_ref().is_none_or(|platform| platform.os == "linux" && platform.architecture == arch)
    }

    /// Its name, if it has a whole one: a bare word is a tag without a repository.
    fn reference(&self) -> Option<Reference> {
        let whole = self.annotation(IMAGE_NAME);
        let name = whole.or_else(|| self.annotation(REF_NAME).filter(|name| name.contains([':', '/'])))?;
        let reference = Reference::parse(name).ok()?.or_latest();
        (!reference.has_digest()).then_some(reference)
    }
}
