//! `GetDistribution`.

use cove_proto::v1::{GetDistributionRequest, GetDistributionResponse, ImagePlatform};
use cove_registry::{
    RegistryError, Repository,
    manifests::{Document, Fetched, platform::Platform},
    repository::Access,
};
use tonic::Status;

use super::{RegistryRpc, reference};
use crate::rpc::error;

impl RegistryRpc {
    pub(super) async fn distribution(
        &self,
        request: GetDistributionRequest,
    ) -> Result<GetDistributionResponse, Status> {
        let name = reference(&request.reference)?.or_latest();
        let credentials = self.transfers.credentials(request.credentials, &name).await;
        let credentials = credentials.map_err(|failed| error::registry(&failed))?;
        let settings = self.transfers.settings()?;
        let name = &name;
        let ask = |repository: Repository| async move {
            // Asked for first because its refusals are the ones that dockerd's users know.
            repository.head(name).await?;
            let fetched = repository.fetch(name).await?;
            let platforms = platforms(&repository, &fetched).await?;
            Ok((fetched, platforms))
        };
        let found = self.transfers.registries().first_that(name, Access::Pull, &credentials, &settings, ask).await;
        let (fetched, platforms) = found.map_err(|failed| error::registry(&failed))?;
        let encode = |Platform { os, architecture, variant }| ImagePlatform { os, arch: architecture, variant };
        Ok(GetDistributionResponse {
            media_type: fetched.media_type,
            digest: fetched.digest.to_string(),
            size_bytes: fetched.bytes.len() as u64,
            platforms: platforms.into_iter().map(encode).collect(),
        })
    }
}

/// The platforms of an index, or the one of an image, which only its configuration says.
async fn platforms(repository: &Repository, fetched: &Fetched) -> Result<Vec<Platform>, RegistryError> {
    match &fetched.document {
        Document::Index(entries) => Ok(entries.iter().filter_map(|entry| entry.platform.clone()).collect()),
        Document::Image(manifest) => {
            let config = repository.config(&manifest.config.digest, manifest.config.size).await?;
            let platform: Platform =
                serde_json::from_slice(&config).map_err(|error| RegistryError::Malformed(error.to_string()))?;
            Ok(vec![platform])
        }
    }
}
