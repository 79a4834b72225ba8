//! Where the bytes of a layer come from.

use bytes::Bytes;
use cove_names::{Digest, Reference};
use cove_proto::v1::{LayerCompression, SendLayerRequest, SendLayerResponse};
use cove_registry::{
    RegistryError, Repository,
    blobs::{Download, Source, Step},
    repository::Access,
};
use tonic::{Status, Streaming};

use crate::transfers::Transfers;

/// From another registry.
pub(super) struct Copied {
    download: Download,
    failed: bool,
}

impl Copied {
    /// From a repository that has the blob and gives it to us; `None` if it does not.
    pub(super) async fn from(transfers: &Transfers, origin: &Reference, digest: &Digest, size: u64) -> Option<Self> {
        let settings = transfers.settings().ok()?;
        let credentials = transfers.registries().kept_credentials(origin.domain()).await.ok()?;
        let ask = |repository: Repository| async move {
            let has = repository.has(digest).await?.is_some();
            Ok(has.then(|| repository.download(digest, size)))
        };
        let found = transfers.registries().first_that(origin, Access::Pull, &credentials, &settings, ask).await;
        Some(Self { download: found.ok().flatten()?, failed: false })
    }

    /// Whether it was the origin that failed.
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }
}

impl Source for Copied {
    async fn next(&mut self) -> Result<Option<Bytes>, RegistryError> {
        loop {
            match self.download.next().await {
                Ok(Some(Step::Data(data))) => return Ok(Some(data)),
                Ok(Some(Step::Waiting(_))) => {}
                Ok(None) => return Ok(None),
                Err(failed) => {
                    self.failed = true;
                    return Err(failed);
                }
            }
        }
    }
}

/// From the agent, which makes it anew.
pub(super) struct Made(Streaming<SendLayerResponse>);

impl Made {
    pub(super) async fn of(transfers: &Transfers, image: &str, diff_id: &str) -> Result<Self, RegistryError> {
        let request = SendLayerRequest {
            image: image.to_owned(),
            diff_id: diff_id.to_owned(),
            compression: LayerCompression::Gzip.into(),
        };
        let pieces = transfers.agent.images().send_layer(request).await.map_err(|status| unread(&status))?;
        Ok(Self(pieces.into_inner()))
    }
}

impl Source for Made {
    async fn next(&mut self) -> Result<Option<Bytes>, RegistryError> {
        let piece = self.0.message().await.map_err(|status| unread(&status))?;
        Ok(piece.map(|piece| piece.data.into()))
    }
}

fn unread(status: &Status) -> RegistryError {
    RegistryError::Source(status.message().to_owned())
}
