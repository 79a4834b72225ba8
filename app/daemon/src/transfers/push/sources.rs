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
    origin: Repository,
    blob: (Digest, u64),
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
            Ok(has.then_some(repository))
        };
        let found = transfers.registries().first_that(origin, Access::Pull, &credentials, &settings, ask).await;
        let origin = found.ok().flatten()?;
        let download = origin.download(digest, size);
        Some(Self { origin, blob: (digest.clone(), size), download, failed: false })
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

    fn restart(&mut self) {
        self.download = self.origin.download(&self.blob.0, self.blob.1);
    }
}

/// From the agent, which makes it anew, and of the same layer always the same.
pub(super) struct Made<'a> {
    transfers: &'a Transfers,
    request: SendLayerRequest,
    pieces: Option<Streaming<SendLayerResponse>>,
}

impl<'a> Made<'a> {
    pub(super) fn of(transfers: &'a Transfers, image: &str, diff_id: &str) -> Self {
        let request = SendLayerRequest {
            image: image.to_owned(),
            diff_id: diff_id.to_owned(),
            compression: LayerCompression::Gzip.into(),
        };
        Self { transfers, request, pieces: None }
    }

    async fn piece(&mut self) -> Result<Option<SendLayerResponse>, Status> {
        let pieces = match &mut self.pieces {
            Some(pieces) => pieces,
            None => {
                let begun = self.transfers.agent.images().send_layer(self.request.clone()).await?;
                self.pieces.insert(begun.into_inner())
            }
        };
        pieces.message().await
    }
}

impl Source for Made<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>, RegistryError> {
        let piece = self.piece().await.map_err(|status| unread(&status))?;
        Ok(piece.map(|piece| piece.data.into()))
    }

    fn restart(&mut self) {
        self.pieces = None;
    }
}

fn unread(status: &Status) -> RegistryError {
    RegistryError::Source(status.message().to_owned())
}
