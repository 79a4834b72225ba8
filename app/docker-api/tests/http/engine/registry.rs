//! `cove.v1.Registry`.

use cove_proto::v1::{self, LayerPhase, pull_image_response as pulled, push_image_response as pushed};
use tonic::{Request, Response, Status, async_trait};

use super::{Answers, Shared, never};

#[async_trait]
impl v1::registry_server::Registry for Shared {
    type PullImageStream = Answers<v1::PullImageResponse>;
    type PushImageStream = Answers<v1::PushImageResponse>;

    async fn pull_image(
        &self,
        request: Request<v1::PullImageRequest>,
    ) -> Result<Response<Self::PullImageStream>, Status> {
        let request = request.into_inner();
        let who = request.credentials.unwrap_or_default().username;
        self.note(format!("pull {} all={} {:?} {who:?}", request.reference, request.all_tags, request.platform));
        let event = |event| Ok(v1::PullImageResponse { event: Some(event) });
        let begun =
            |tag: &str| event(pulled::Event::Begun(v1::PullBegun { path: "library/alpine".into(), tag: tag.into() }));
        let done = |reference: &str, up_to_date| {
            event(pulled::Event::Done(v1::PullDone {
                digest: "sha256:d".into(),
                reference: reference.into(),
                up_to_date,
                id: "sha256:1".into(),
                warning: if reference.starts_with("same") { "another platform".into() } else { String::new() },
            }))
        };
        let layer = |phase, current| event(pulled::Event::Layer(layer(phase, current)));
        let events = match request.reference.as_str() {
            "nope" => {
                vec![Err(Status::not_found("manifest for nope:latest not found: manifest unknown: manifest unknown"))]
            }
            "down" => vec![Err(Status::unavailable("Get \"http://down/v2/\": connection refused"))],
            "breaks:1" => vec![begun("1"), layer(LayerPhase::Pending, 0), Err(Status::data_loss("torn"))],
            "waits:1" => {
                let first = futures::stream::iter([begun("1")]);
                return Ok(Response::new(Box::pin(futures::StreamExt::chain(first, never(self)))));
            }
            "same:1" => vec![begun("1"), done("same:1", true)],
            _ if request.all_tags => vec![begun("1"), done("alpine:1", true), begun("2"), done("alpine:2", false)],
            _ => vec![
                begun("3"),
                layer(LayerPhase::Pending, 0),
                layer(LayerPhase::Waiting, 0),
                layer(LayerPhase::Downloading, 5),
                layer(LayerPhase::Verifying, 0),
                layer(LayerPhase::Downloaded, 0),
                layer(LayerPhase::Extracting, 10),
                layer(LayerPhase::Pulled, 0),
                done("alpine:3", false),
            ],
        };
        Ok(Response::new(Box::pin(futures::stream::iter(events))))
    }

    async fn push_image(
        &self,
        request: Request<v1::PushImageRequest>,
    ) -> Result<Response<Self::PushImageStream>, Status> {
        let request = request.into_inner();
        self.note(format!("push {} all={}", request.reference, request.all_tags));
        let event = |event| Ok(v1::PushImageResponse { event: Some(event) });
        let begun = event(pushed::Event::Begun(v1::PushBegun { repository: "host:5000/a".into() }));
        let layer = |phase| event(pushed::Event::Layer(layer(phase, 0)));
        let done = v1::PushDone { tag: "1".into(), digest: "sha256:d".into(), size_bytes: 527 };
        let events = match request.reference.as_str() {
            "nope:1" => vec![begun, Err(Status::not_found("An image does not exist locally with the tag: nope"))],
            _ => vec![
                begun,
                layer(LayerPhase::Preparing),
                layer(LayerPhase::Exists),
                layer(LayerPhase::Mounted),
                layer(LayerPhase::Pushed),
                event(pushed::Event::Done(done)),
            ],
        };
        Ok(Response::new(Box::pin(futures::stream::iter(events))))
    }

    async fn check_login(
        &self,
        request: Request<v1::CheckLoginRequest>,
    ) -> Result<Response<v1::CheckLoginResponse>, Status> {
        let request = request.into_inner();
        let who = request.credentials.unwrap_or_default();
        if who.password != "secret" {
            return Err(Status::unauthenticated("login attempt to http://x/v2/ failed with status: 401 Unauthorized"));
        }
        self.note(format!("login {} at {}", who.username, request.registry));
        Ok(Response::new(v1::CheckLoginResponse { identity_token: String::new() }))
    }

    async fn search_images(
        &self,
        request: Request<v1::SearchImagesRequest>,
    ) -> Result<Response<v1::SearchImagesResponse>, Status> {
        let request = request.into_inner();
        self.note(format!("search {} {}", request.term, request.limit));
        let found = |name: &str, stars, official| v1::FoundImage {
            name: name.into(),
            description: "d".into(),
            stars,
            official,
        };
        Ok(Response::new(v1::SearchImagesResponse { images: vec![found("a", 3, true), found("b/a", 1, false)] }))
    }

    async fn get_distribution(
        &self,
        request: Request<v1::GetDistributionRequest>,
    ) -> Result<Response<v1::GetDistributionResponse>, Status> {
        self.note(format!("distribution {}", request.into_inner().reference));
        let platform =
            |variant: &str| v1::ImagePlatform { os: "linux".into(), arch: "arm".into(), variant: variant.into() };
        Ok(Response::new(v1::GetDistributionResponse {
            media_type: "m".into(),
            digest: "sha256:d".into(),
            size_bytes: 527,
            platforms: vec![platform(""), platform("v7")],
        }))
    }

    async fn get_registry_settings(
        &self,
        _request: Request<v1::GetRegistrySettingsRequest>,
    ) -> Result<Response<v1::GetRegistrySettingsResponse>, Status> {
        let settings = v1::RegistrySettings {
            mirrors: vec!["http://mirror:5000".into()],
            insecure: vec!["10.0.0.0/8".into(), "host:5000".into()],
            ..Default::default()
        };
        Ok(Response::new(v1::GetRegistrySettingsResponse { settings: Some(settings), ..Default::default() }))
    }

    async fn update_registry_settings(
        &self,
        _request: Request<v1::UpdateRegistrySettingsRequest>,
    ) -> Result<Response<v1::UpdateRegistrySettingsResponse>, Status> {
        Err(Status::unimplemented("not part of Docker's API"))
    }
}

fn layer(phase: LayerPhase, current_bytes: u64) -> v1::LayerProgress {
    v1::LayerProgress {
        layer: "sha256:0123456789abcdef".into(),
        phase: phase.into(),
        current_bytes,
        total_bytes: 10,
        mounted_from: "library/a".into(),
        ..Default::default()
    }
}
