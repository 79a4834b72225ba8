//! Which containers use which image. A hold is recorded with what the container needs (layers and configuration), so that
//! it can be started even after its image was removed by force, as in dockerd.

use std::path::PathBuf;

use super::catalogue::{CatalogueError, HoldRecord};
use super::config::{Document, ImageConfig};
use super::lookup::find;
use super::{ImageStore, ImagesError};

/// What a container needs of its image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldImage {
    /// "sha256:...".
    pub id: String,
    /// How containers of it run.
    pub config: ImageConfig,
    /// Trees of its layers, the highest first.
    pub layers: Vec<PathBuf>,
}

impl ImageStore {
    /// Finds an image and keeps it for a container, durably, in one step.
    ///
    /// # Errors
    /// There is no such image, or the name is malformed.
    pub fn hold(&self, image: &str, container: &str) -> Result<HeldImage, ImagesError> {
        let id = find(&self.0.catalogue.read()?, image)?;
        let hold = self.0.catalogue.write(|change| {
            // The image may have gone since it was found.
            let (Some(record), Some(config)) = (change.image(&id)?, change.config(&id)?) else {
                return Err(ImagesError::NotFound(image.to_owned()));
            };
            let hold = HoldRecord { image: id.clone(), layers: record.layers, config };
            change.put_hold(container, &hold)?;
            Ok(hold)
        })?;
        self.held_image(hold)
    }

    /// What a container holds.
    ///
    /// # Errors
    /// It holds nothing.
    pub fn held(&self, container: &str) -> Result<HeldImage, ImagesError> {
        let hold = self.0.catalogue.read()?.hold(container)?;
        self.held_image(hold.ok_or_else(|| ImagesError::NotFound(format!("of container {container}")))?)
    }

    /// Ends the hold of a container, and the layers that only it needed. Without a hold nothing happens.
    ///
    /// # Errors
    /// The disk or the database fails.
    pub fn release(&self, container: &str) -> Result<(), ImagesError> {
        self.set_running(container, false);
        let hold = self.0.catalogue.write(|change| change.remove_hold(container))?;
        if let Some(hold) = hold {
            self.remove_unneeded(&hold.layers)?;
        }
        Ok(())
    }

    /// Ends the holds of all containers that do not exist: those that were being created or removed when the agent ended.
    ///
    /// # Errors
    /// The disk or the database fails.
    pub fn retain_holds(&self, exists: impl Fn(&str) -> bool) -> Result<(), ImagesError> {
        for (container, _) in self.0.catalogue.read()?.holds()? {
            if !exists(&container) {
                self.release(&container)?;
            }
        }
        Ok(())
    }

    fn held_image(&self, hold: HoldRecord) -> Result<HeldImage, ImagesError> {
        let document = Document::parse(&hold.config)?;
        Ok(HeldImage { id: hold.image, config: document.config.unwrap_or_default(), layers: self.trees(&hold.layers) })
    }

    /// Containers that were made from an image.
    pub(super) fn users(&self, image: &str) -> Result<Vec<String>, CatalogueError> {
        let holds = self.0.catalogue.read()?.holds()?;
        Ok(holds.into_iter().filter(|(_, hold)| hold.image == image).map(|(container, _)| container).collect())
    }
}
