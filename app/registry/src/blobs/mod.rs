//! Configurations and layers.
//!
//! * [`Download`] — from a registry, in pieces; goes on where a connection broke, and ends well only if the content is what
//!   its digest says.
//! * [`upload`] — to a registry: what is there already is not sent, what another of its repositories has is mounted; goes
//!   on where a connection broke, if the registry says where that is.
//! * `failures` — how often either may break.

mod download;
mod failures;
pub mod upload;

use cove_names::Digest;

pub use self::download::{Download, Step};
pub use self::upload::{Source, Told};
use crate::{error::RegistryError, repository::Repository};

/// No configuration of an image comes near this; dockerd's limit is the manifest's.
const LARGEST_CONFIG: u64 = 8 << 20;

impl Repository {
    /// Fetches a small blob whole: a configuration.
    ///
    /// # Errors
    /// The registry does not give it, it is too large, or not what its digest says.
    pub async fn config(&self, digest: &Digest, size: u64) -> Result<Vec<u8>, RegistryError> {
        if size > LARGEST_CONFIG {
            let limit = usize::try_from(LARGEST_CONFIG).unwrap_or(usize::MAX);
            return Err(RegistryError::TooLarge { what: "the configuration of an image", limit });
        }
        let mut download = self.download(digest, size);
        let mut whole = Vec::new();
        while let Some(step) = download.next().await? {
            if let Step::Data(data) = step {
                whole.extend_from_slice(&data);
            }
        }
        Ok(whole)
    }

    /// Begins to fetch a blob. Nothing is asked before the first [`Download::next`].
    #[must_use]
    pub fn download(&self, digest: &Digest, size: u64) -> Download {
        Download::new(self.clone(), digest.clone(), size)
    }
}
