//! From the agent to a registry.
//!
//! An image that was pulled keeps its digest: its manifest goes as it came, and what the registry lacks of its layers is
//! mounted from where it came from, or copied from there through the host. Only where that cannot be are layers made anew
//! of what the agent has, and a manifest with them.
//!
//! * `send` — the steps. `layer` — one layer. `sources` — where its bytes come from.

mod layer;
mod send;
mod sources;

use std::{collections::HashMap, sync::Arc};

use cove_names::Reference;
use cove_proto::v1::{ListImagesRequest, StringList};
use cove_registry::Credentials;
use tonic::Status;

use super::{Transfers, progress::Transfer};

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Which image goes, and where to.
    pub reference: Reference,
    /// Who asks.
    pub credentials: Credentials,
}

/// The registry has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Its tag.
    pub tag: String,
    /// Digest of its manifest.
    pub digest: String,
    /// Number of the manifest's bytes.
    pub size: u64,
}

/// Begins to send an image.
pub fn begin(transfers: Arc<Transfers>, wanted: Wanted) -> Arc<Transfer<(), Done>> {
    Arc::new(Transfer::begin(|book| async move { send::send(&transfers, &wanted, &book).await }))
}

impl Transfers {
    /// All tags of a repository that are here.
    ///
    /// # Errors
    /// There are none, or the agent does not say.
    pub async fn tags_here(&self, name: &Reference) -> Result<Vec<Reference>, Status> {
        let filter = StringList { values: vec![name.familiar_name()] };
        let filters = HashMap::from([("reference".to_owned(), filter)]);
        let images = self.agent.images().list_images(ListImagesRequest { filters }).await?.into_inner().images;
        let tags = images.iter().flat_map(|image| &image.tags).filter_map(|tag| Reference::parse(tag).ok());
        let mut tags: Vec<Reference> = tags.filter(|tag| tag.name() == name.name()).collect();
        tags.sort();
        if tags.is_empty() { Err(absent(name)) } else { Ok(tags) }
    }
}

/// dockerd's words; they leave the tag out.
fn absent(name: &Reference) -> Status {
    Status::not_found(format!("An image does not exist locally with the tag: {}", name.familiar_name()))
}
