//! `PullImage`.

use std::sync::Arc;

use cove_proto::v1::{PullBegun, PullDone, PullImageRequest, PullImageResponse, pull_image_response::Event};
use cove_registry::{manifests::platform::Platform, repository::Access};
use futures::{StreamExt as _, stream};
use tonic::Status;

use super::{
    Answers, RegistryRpc,
    follow::{self, Told, until_error},
    reference,
};
use crate::{
    rpc::error,
    transfers::{
        progress::Direction,
        pull::{Begun, Done, Wanted},
    },
};

impl RegistryRpc {
    pub(super) async fn pull(&self, request: PullImageRequest) -> Result<Answers<PullImageResponse>, Status> {
        let name = reference(&request.reference)?;
        let platform = self.wanted_platform(&request.platform)?;
        let credentials = self.transfers.credentials(request.credentials, &name).await;
        let credentials = credentials.map_err(|failed| error::registry(&failed))?;
        if request.all_tags && !name.is_name_only() {
            return Err(Status::invalid_argument("tag can't be used with --all-tags/-a"));
        }
        let names = if request.all_tags {
            let settings = self.transfers.settings()?;
            let ask = |repository: cove_registry::Repository| async move { repository.tags().await };
            let tags = self.transfers.registries().first_that(&name, Access::Pull, &credentials, &settings, ask).await;
            let tags = tags.map_err(|failed| error::registry(&failed.of_pull(&name)))?;
            tags.iter().map(|tag| name.with_tag(tag)).collect()
        } else {
            vec![name.or_latest()]
        };
        let transfers = Arc::clone(&self.transfers);
        let pulls = stream::iter(names).flat_map(move |reference| {
            let (platform, credentials) = (platform.clone(), credentials.clone());
            follow::follow(Direction::Pull, transfers.pull(Wanted { reference, platform, credentials }))
        });
        Ok(until_error(pulls.map(|told| told.map(encode))))
    }

    fn wanted_platform(&self, text: &str) -> Result<Option<Platform>, Status> {
        if text.is_empty() {
            return Ok(None);
        }
        let here = self.transfers.platform()?;
        Platform::parse(text, &here).map(Some).map_err(|bad| Status::invalid_argument(bad.to_string()))
    }
}

fn encode(told: Told<Begun, Done>) -> PullImageResponse {
    let event = match told {
        Told::Begun(Begun { path, tag }) => Event::Begun(PullBegun { path, tag }),
        Told::Layer(layer) => Event::Layer(layer),
        Told::Done(Done { digest, reference, up_to_date, id, warning }) => {
            Event::Done(PullDone { digest, reference, up_to_date, id, warning })
        }
    };
    PullImageResponse { event: Some(event) }
}
