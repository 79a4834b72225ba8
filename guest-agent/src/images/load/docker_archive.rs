//! The archive of `docker save`: `manifest.json` lists configurations, layers and tags.

use serde::Deserialize;

use super::{Found, Spool, document};
use crate::images::ImagesError;
use crate::images::reference::Reference;

pub(super) const MANIFEST: &str = "manifest.json";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

/// Finds the images.
pub(super) fn read(spool: &Spool) -> Result<Vec<Found>, ImagesError> {
    let items: Vec<Item> = document(spool, MANIFEST)?;
    items.into_iter().map(|item| found(spool, item)).collect()
}

fn found(spool: &Spool, item: Item) -> Result<Found, ImagesError> {
    let mut references = Vec::new();
    for tag in item.repo_tags.unwrap_or_default() {
        let reference = Reference::parse(&tag)?;
        if reference.tag().is_none() || reference.has_digest() {
            return Err(ImagesError::Archive(format!("invalid tag \"{tag}\"")));
        }
        references.push(reference);
    }
    Ok(Found { config: spool.small(&item.config)?, layers: item.layers.unwrap_or_default(), references })
}
