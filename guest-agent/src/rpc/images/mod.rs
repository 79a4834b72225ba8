//! `cove.v1.Images`. The store blocks, so each call runs on a thread that may.
//!
//! * [`receive`] — images that come from the host, layer by layer.

mod receive;

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, stream};
use prost_types::Timestamp;
use tokio::sync::Semaphore;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status, Streaming};

use cove_proto::v1::{
    self, GetImageRequest, GetImageResponse, Image, ImportImageRequest, ImportImageResponse, ListImagesRequest,
    ListImagesResponse, LoadImagesRequest, LoadImagesResponse, ReceiveImageRequest, ReceiveImageResponse,
    ReceiveLayerRequest, ReceiveLayerResponse, RemoteLayer, RemoveImageRequest, RemoveImageResponse, RemovedImage,
    SaveImagesRequest, SaveImagesResponse, SendLayerRequest, SendLayerResponse, TagImageRequest, TagImageResponse,
    import_image_request::Message, removed_image::What,
};

use super::chunks;
use super::error::missing;
use crate::{
    containers::chain,
    images::{
        self, ImageStore, ImageSummary, ImagesError, ImportRequest, Kind, LayerCompression, LoadedImage, Removed,
    },
};

/// Layers that are unpacked at once, whoever sends them: what bounds the memory. dockerd fetches as many.
const LAYERS: usize = 3;

/// `cove.v1.Images`.
#[derive(Clone)]
pub struct ImagesService {
    store: ImageStore,
    /// A place for each layer that is unpacked.
    places: Arc<Semaphore>,
}

impl ImagesService {
    /// The service of this store.
    #[must_use]
    pub fn new(store: ImageStore) -> Self {
        Self { store, places: Arc::new(Semaphore::new(LAYERS)) }
    }

    async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&ImageStore) -> Result<T, ImagesError> + Send + 'static,
    ) -> Result<T, Status> {
        let store = self.store.clone();
        let result = tokio::task::spawn_blocking(move || call(&store)).await;
        Ok(result.map_err(|_| Status::unavailable("the agent is shutting down"))??)
    }
}

#[tonic::async_trait]
impl v1::images_server::Images for ImagesService {
    type LoadImagesStream = stream::BoxStream<'static, Result<LoadImagesResponse, Status>>;
    type SaveImagesStream = ReceiverStream<Result<SaveImagesResponse, Status>>;
    type ReceiveImageStream = ReceiverStream<Result<ReceiveImageResponse, Status>>;
    type ReceiveLayerStream = ReceiverStream<Result<ReceiveLayerResponse, Status>>;
    type SendLayerStream = ReceiverStream<Result<SendLayerResponse, Status>>;

    async fn load_images(
        &self,
        request: Request<Streaming<LoadImagesRequest>>,
    ) -> Result<Response<Self::LoadImagesStream>, Status> {
        let archive =
            chunks::receive(request.into_inner().map(|message| message.map(|message| Bytes::from(message.data))));
        let loaded = self.call(move |store| store.load(archive)).await?;
        let responses: Vec<_> = loaded.into_iter().map(|image| Ok(loaded_image(image))).collect();
        Ok(Response::new(stream::iter(responses).boxed()))
    }

    async fn save_images(
        &self,
        request: Request<SaveImagesRequest>,
    ) -> Result<Response<Self::SaveImagesStream>, Status> {
        let images = request.into_inner().images;
        let store = self.store.clone();
        let sent = chunks::send(|data| SaveImagesResponse { data }, move |out| store.save(&images, out));
        Ok(Response::new(ReceiverStream::new(sent)))
    }

    async fn import_image(
        &self,
        request: Request<Streaming<ImportImageRequest>>,
    ) -> Result<Response<ImportImageResponse>, Status> {
        let mut sent = request.into_inner();
        let Some(ImportImageRequest { message: Some(Message::Open(open)) }) = sent.message().await? else {
            return Err(missing("what to make, as its first message"));
        };
        let wanted = ImportRequest {
            reference: open.reference,
            message: open.message,
            changes: open.changes,
            platform: open.platform,
        };
        let tar = chunks::receive(sent.map(|message| match message?.message {
            Some(Message::Data(data)) => Ok(Bytes::from(data)),
            _ => Err(missing("data")),
        }));
        let id = self.call(move |store| store.import(&wanted, tar)).await?;
        Ok(Response::new(ImportImageResponse { id }))
    }

    async fn list_images(&self, request: Request<ListImagesRequest>) -> Result<Response<ListImagesResponse>, Status> {
        let filters = request.into_inner().filters.into_iter().map(|(key, list)| (key, list.values)).collect();
        let images = self.call(move |store| store.list(&filters)).await?;
        Ok(Response::new(ListImagesResponse { images: images.into_iter().map(image).collect() }))
    }

    async fn get_image(&self, request: Request<GetImageRequest>) -> Result<Response<GetImageResponse>, Status> {
        let name = request.into_inner().image;
        let found = self.call(move |store| store.resolve(&name)).await?;
        Ok(Response::new(GetImageResponse { image: Some(image(found)) }))
    }

    async fn tag_image(&self, request: Request<TagImageRequest>) -> Result<Response<TagImageResponse>, Status> {
        let TagImageRequest { image, reference } = request.into_inner();
        self.call(move |store| store.tag(&image, &reference)).await?;
        Ok(Response::new(TagImageResponse {}))
    }

    async fn remove_image(
        &self,
        request: Request<RemoveImageRequest>,
    ) -> Result<Response<RemoveImageResponse>, Status> {
        let RemoveImageRequest { image, force, keep_parents } = request.into_inner();
        let remove = move |store: &ImageStore| match keep_parents {
            true => store.remove(&image, force),
            false => store.remove_with_parents(&image, force),
        };
        let removed = self.call(remove).await?;
        Ok(Response::new(RemoveImageResponse { removed: removed.into_iter().map(step).collect() }))
    }

    async fn prune_images(
        &self,
        request: Request<v1::PruneImagesRequest>,
    ) -> Result<Response<v1::PruneImagesResponse>, Status> {
        let filters = request.into_inner().filters.into_iter().map(|(key, list)| (key, list.values)).collect();
        let pruned = self.call(move |store| store.prune(&filters)).await?;
        let removed = pruned.removed.into_iter().map(step).collect();
        Ok(Response::new(v1::PruneImagesResponse { removed, freed_bytes: pruned.freed_bytes }))
    }

    async fn check_store(
        &self,
        request: Request<v1::CheckStoreRequest>,
    ) -> Result<Response<v1::CheckStoreResponse>, Status> {
        let content = request.into_inner().content;
        let report = self.call(move |store| store.check(content)).await?;
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Ok(Response::new(v1::CheckStoreResponse {
            images: count(report.images),
            layers: count(report.layers),
            problems: report.problems,
        }))
    }

    async fn receive_image(
        &self,
        request: Request<Streaming<ReceiveImageRequest>>,
    ) -> Result<Response<Self::ReceiveImageStream>, Status> {
        receive::image(self, request.into_inner()).await.map(Response::new)
    }

    async fn receive_layer(
        &self,
        request: Request<Streaming<ReceiveLayerRequest>>,
    ) -> Result<Response<Self::ReceiveLayerStream>, Status> {
        receive::layer(self, request.into_inner()).await.map(Response::new)
    }

    async fn send_layer(&self, request: Request<SendLayerRequest>) -> Result<Response<Self::SendLayerStream>, Status> {
        let request = request.into_inner();
        let compression = match request.compression() {
            v1::LayerCompression::Unspecified | v1::LayerCompression::None => LayerCompression::None,
            v1::LayerCompression::Gzip => LayerCompression::Gzip,
        };
        let store = self.store.clone();
        let SendLayerRequest { image, diff_id, .. } = request;
        let sent = chunks::send(
            |data| SendLayerResponse { data },
            move |out| store.send_layer(&image, &diff_id, compression, out),
        );
        Ok(Response::new(ReceiverStream::new(sent)))
    }
}

fn loaded_image(LoadedImage { id, reference }: LoadedImage) -> LoadImagesResponse {
    let untagged = reference.is_none();
    LoadImagesResponse { reference: reference.unwrap_or_else(|| id.clone()), untagged, id }
}

fn image(image: ImageSummary) -> Image {
    Image {
        id: image.id,
        tags: image.tags,
        digests: image.digests,
        created_at: timestamp(image.created_nanos),
        tagged_at: timestamp(image.tagged_nanos),
        os: image.os,
        arch: image.arch,
        variant: image.variant,
        size_bytes: image.size_bytes,
        layer_diff_ids: image.layer_diff_ids,
        layer_bytes: image.layer_bytes,
        config_json: image.config_json,
        containers: image.containers,
        parent_id: image.parent,
        manifest: image.manifest,
        manifest_media_type: image.manifest_media_type,
        repositories: image.repositories,
        remote_layers: image.remote_layers.into_iter().map(remote_layer).collect(),
    }
}

fn remote_layer(images::RemoteLayer { digest, media_type, size_bytes }: images::RemoteLayer) -> RemoteLayer {
    RemoteLayer { digest: digest.to_string(), media_type, size_bytes }
}

fn step(step: Removed) -> RemovedImage {
    let what = match step {
        Removed::Untagged(reference) => What::Untagged(reference),
        Removed::Deleted(digest) | Removed::Layer(digest, _) => What::Deleted(digest),
    };
    RemovedImage { what: Some(what) }
}

/// A time that is known.
fn timestamp(nanos: i64) -> Option<Timestamp> {
    let seconds = nanos.div_euclid(1_000_000_000);
    let rest = i32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or_default();
    (nanos != 0).then_some(Timestamp { seconds, nanos: rest })
}

impl From<ImagesError> for Status {
    fn from(error: ImagesError) -> Self {
        let code = match error.kind() {
            Kind::NotFound => Code::NotFound,
            Kind::Invalid => Code::InvalidArgument,
            Kind::Conflict => Code::FailedPrecondition,
            Kind::Full => Code::ResourceExhausted,
            Kind::Cancelled => Code::Cancelled,
            Kind::Internal => Code::Internal,
        };
        Self::new(code, chain(&error))
    }
}
