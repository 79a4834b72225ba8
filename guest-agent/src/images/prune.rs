//! Removes the images that nobody needs, by dockerd's rules (`daemon/images/image_prune.go`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::list::{boolean, is_dangling};
use super::remove::{Removed, children};
use super::{Filters, ImageStore, ImageSummary, ImagesError};
use crate::events::{Event, Kind};

/// What was removed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The steps.
    pub removed: Vec<Removed>,
    /// Bytes of the layers that went.
    pub freed_bytes: u64,
}

impl ImageStore {
    /// Removes the images that have no name, or with the filter `dangling=false` all that no container was made from.
    /// Further keys: `label label! until`.
    ///
    /// # Errors
    /// An unknown filter or value, or another prune is under way.
    pub fn prune(&self, filters: &Filters) -> Result<Pruned, ImagesError> {
        let (mut wanted, mut dangling_only) = (BTreeMap::new(), true);
        for (key, values) in filters {
            match key.as_str() {
                "dangling" => dangling_only = boolean(key, values)?.unwrap_or(true),
                "label" | "label!" | "until" => drop(wanted.insert(key.clone(), values.clone())),
                _ => return Err(ImagesError::UnknownFilter(key.clone())),
            }
        }
        let _turn = Turn::take(&self.0.pruning)?;
        let mut pruned = Pruned::default();
        for image in self.list(&wanted)? {
            // Of images that were made on one another, the last goes first and takes the others along.
            let has_children = children(&self.0.catalogue.read()?)?.iter().any(|(_, parent)| *parent == image.id);
            let is_step = is_dangling(&image) && has_children;
            let is_named = dangling_only && !image.tags.is_empty();
            if !is_step && !is_named {
                pruned.removed.extend(self.prune_one(&image));
            }
        }
        let bytes = |step: &Removed| if let Removed::Layer(_, bytes) = step { *bytes } else { 0 };
        pruned.freed_bytes = pruned.removed.iter().map(bytes).sum();
        self.0.config.events.publish(Event::new(Kind::Image, "prune", "").with("reclaimed", pruned.freed_bytes));
        Ok(pruned)
    }

    /// Removes an image under all its names; what is in use stays.
    fn prune_one(&self, image: &ImageSummary) -> Vec<Removed> {
        let names: Vec<&String> = image.tags.iter().chain(&image.digests).collect();
        let names = if names.is_empty() { vec![&image.id] } else { names };
        let mut removed = Vec::new();
        for name in names {
            match self.remove_with_parents(name, false) {
                Ok(steps) => removed.extend(steps),
                // A digest goes with the last tag of its repository.
                Err(ImagesError::NotFound(_)) => {}
                Err(error) => tracing::info!(image = %name, %error, "an image is not pruned"),
            }
        }
        removed
    }
}

/// The right to prune.
struct Turn<'a>(&'a AtomicBool);

impl<'a> Turn<'a> {
    fn take(pruning: &'a AtomicBool) -> Result<Self, ImagesError> {
        if pruning.swap(true, Ordering::SeqCst) { Err(ImagesError::Pruning) } else { Ok(Self(pruning)) }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}
