//! `SearchImages`.

use cove_proto::v1::{FoundImage, SearchImagesRequest, SearchImagesResponse};
use cove_registry::Credentials;
use tonic::Status;

use super::RegistryRpc;
use crate::rpc::error;

/// dockerd's.
const USUAL_LIMIT: u32 = 25;
const LARGEST_LIMIT: u32 = 100;

impl RegistryRpc {
    pub(super) async fn search(&self, request: SearchImagesRequest) -> Result<SearchImagesResponse, Status> {
        let limit = match request.limit {
            0 => USUAL_LIMIT,
            limit if limit <= LARGEST_LIMIT => limit,
            limit => {
                return Err(Status::invalid_argument(format!(
                    "limit {limit} is outside the range of [1, {LARGEST_LIMIT}]"
                )));
            }
        };
        // Whoever searches without a name is nobody: a search needs none, and asks no keychain.
        let credentials = request.credentials.map_or_else(Credentials::default, |given| Credentials {
            username: given.username,
            password: given.password,
            ..Credentials::default()
        });
        let settings = self.transfers.settings()?;
        let found = self.transfers.registries().search(&request.term, limit, &credentials, &settings).await;
        let images = found.map_err(|failed| error::registry(&failed))?.into_iter().map(|found| FoundImage {
            name: found.name,
            description: found.description,
            stars: found.star_count,
            official: found.is_official,
        });
        Ok(SearchImagesResponse { images: images.collect() })
    }
}
