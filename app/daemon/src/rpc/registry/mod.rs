//! `cove.v1.Registry`: decode, make one call, encode.
//!
//! * `follow` — what comes about with a transfer, as a stream.

mod distribution;
mod follow;
mod login;
mod pull;
mod push;
mod search;
mod settings;

use std::{pin::Pin, sync::Arc};

use cove_names::Reference;
use cove_proto::v1::{
    CheckLoginRequest, CheckLoginResponse, GetDistributionRequest, GetDistributionResponse, GetRegistrySettingsRequest,
    GetRegistrySettingsResponse, PullImageRequest, PullImageResponse, PushImageRequest, PushImageResponse,
    SearchImagesRequest, SearchImagesResponse, UpdateRegistrySettingsRequest, UpdateRegistrySettingsResponse,
    registry_server,
};
use futures::Stream;
use tonic::{Request, Response, Status};

use crate::transfers::Transfers;

/// What the methods need.
pub struct RegistryRpc {
    /// Images between registries and the agent.
    pub transfers: Arc<Transfers>,
    /// Held while the settings are changed, so that of two changes at once none is lost.
    pub changing: tokio::sync::Mutex<()>,
}

/// A stream of answers.
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl registry_server::Registry for RegistryRpc {
    type PullImageStream = Answers<PullImageResponse>;
    type PushImageStream = Answers<PushImageResponse>;

    async fn pull_image(&self, request: Request<PullImageRequest>) -> Result<Response<Self::PullImageStream>, Status> {
        self.pull(request.into_inner()).await.map(Response::new)
    }

    async fn push_image(&self, request: Request<PushImageRequest>) -> Result<Response<Self::PushImageStream>, Status> {
        self.push(request.into_inner()).await.map(Response::new)
    }

    async fn check_login(&self, request: Request<CheckLoginRequest>) -> Result<Response<CheckLoginResponse>, Status> {
        self.login(request.into_inner()).await.map(Response::new)
    }

    async fn search_images(
        &self,
        request: Request<SearchImagesRequest>,
    ) -> Result<Response<SearchImagesResponse>, Status> {
        self.search(request.into_inner()).await.map(Response::new)
    }

    async fn get_distribution(
        &self,
        request: Request<GetDistributionRequest>,
    ) -> Result<Response<GetDistributionResponse>, Status> {
        self.distribution(request.into_inner()).await.map(Response::new)
    }

    async fn get_registry_settings(
        &self,
        _: Request<GetRegistrySettingsRequest>,
    ) -> Result<Response<GetRegistrySettingsResponse>, Status> {
        Ok(Response::new(self.settings()))
    }

    async fn update_registry_settings(
        &self,
        request: Request<UpdateRegistrySettingsRequest>,
    ) -> Result<Response<UpdateRegistrySettingsResponse>, Status> {
        self.update_settings(request.into_inner()).await.map(Response::new)
    }
}

/// Reads a name.
fn reference(text: &str) -> Result<Reference, Status> {
    Reference::parse(text).map_err(|malformed| Status::invalid_argument(malformed.to_string()))
}
