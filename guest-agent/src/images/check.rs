//! Whether the record of images and what lies on the disk agree: for tests after a crash, and for `cove doctor --store`.

use std::collections::BTreeSet;
use std::io;

use super::catalogue::View;
use super::config::Document;
use super::digest::Digest;
use super::layers::{RECORD, TREE};
use super::save::copy_layer;
use super::store::entries;
use super::{ImageStore, ImagesError};

/// What a check found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct StoreReport {
    /// What is wrong, a sentence each.
    pub problems: Vec<String>,
    /// Images that were looked at.
    pub images: usize,
    /// Layers that were looked at.
    pub layers: usize,
}

impl ImageStore {
    /// Compares the record with the disk; with `content` also each layer with its digest.
    ///
    /// # Errors
    /// The disk or the database fails.
    pub fn check(&self, content: bool) -> Result<StoreReport, ImagesError> {
        // What is on its way is neither an orphan nor a left-over.
        let pinned = self.pinned();
        let view = self.0.catalogue.read()?;
        let mut check = Check { store: self, view, report: StoreReport::default() };
        check.images()?;
        check.names()?;
        check.layers(&pinned, content)?;
        check.folders(&pinned)?;
        Ok(check.report)
    }
}

struct Check<'a> {
    store: &'a ImageStore,
    view: View,
    report: StoreReport,
}

impl Check<'_> {
    fn problem(&mut self, text: String) {
        self.report.problems.push(text);
    }

    /// Every image has its configuration, whose digest is its id, and the layers that this names.
    fn images(&mut self) -> Result<(), ImagesError> {
        let known = self.view.chains()?;
        for (id, image) in self.view.images()? {
            self.report.images += 1;
            match self.view.config(&id)? {
                None => self.problem(format!("image {id} has no configuration")),
                Some(config) if Digest::of(&config).to_string() != id => {
                    self.problem(format!("the configuration of image {id} is damaged"));
                }
                Some(config) => {
                    let expected = Document::parse(&config)?.diff_ids().len();
                    if expected != image.layers.len() {
                        let layers = image.layers.len();
                        self.problem(format!("image {id} has {layers} layers, its configuration names {expected}"));
                    }
                }
            }
            for layer in image.layers.iter().filter(|layer| !known.contains(*layer)) {
                self.problem(format!("image {id} needs layer {layer}, which is not recorded"));
            }
        }
        for (container, hold) in self.view.holds()? {
            for layer in hold.layers.iter().filter(|layer| !known.contains(*layer)) {
                self.problem(format!("container {container} needs layer {layer}, which is not recorded"));
            }
        }
        Ok(())
    }

    /// Every reference means an image.
    fn names(&mut self) -> Result<(), ImagesError> {
        for (reference, id) in self.view.references()? {
            if self.view.image(&id)?.is_none() {
                self.problem(format!("reference {reference} means image {id}, which is not there"));
            }
        }
        Ok(())
    }

    /// Every layer that is recorded is on the disk and needed.
    fn layers(&mut self, pinned: &BTreeSet<String>, content: bool) -> Result<(), ImagesError> {
        let chains: Vec<String> = self.view.chains()?.into_iter().collect();
        for chain in self.view.unneeded(&chains)? {
            if !pinned.contains(&chain) {
                self.problem(format!("nothing needs layer {chain}"));
            }
        }
        for chain in chains {
            self.report.layers += 1;
            let folder = self.store.layer_folder(&chain);
            if !folder.join(TREE).is_dir() || !folder.join(RECORD).is_file() {
                self.problem(format!("the files of layer {chain} are not at {}", folder.display()));
                continue;
            }
            let Some(layer) = self.view.layer(&chain)?.filter(|_| content) else { continue };
            if let Err(error) = copy_layer(self.store, &mut io::sink(), &layer.diff_id, &chain, layer.tar_bytes) {
                self.problem(format!("layer {chain} is damaged: {}", crate::containers::chain(&error)));
            }
        }
        Ok(())
    }

    /// Every folder is a layer that is recorded.
    fn folders(&mut self, pinned: &BTreeSet<String>) -> Result<(), ImagesError> {
        let known: BTreeSet<_> = self.view.chains()?.iter().map(|chain| self.store.layer_folder(chain)).collect();
        let coming: BTreeSet<_> = pinned.iter().map(|chain| self.store.layer_folder(chain)).collect();
        let mut found = entries(&self.store.layers_folder())?;
        found.extend(entries(&self.store.spool_folder())?);
        found.sort();
        for folder in found {
            // What is on its way may have come to its end meanwhile.
            let is_coming = coming.contains(&folder) || self.store.is_at_work(&folder) || !folder.exists();
            if !known.contains(&folder) && !is_coming {
                self.problem(format!("{} belongs to nothing", folder.display()));
            }
        }
        Ok(())
    }
}
