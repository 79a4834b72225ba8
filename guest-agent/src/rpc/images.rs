//! `cove.v1.Images`. The store blocks, so each call runs on a thread that may; archives stream through a few chunks, and
//! whoever is slower sets the pace.

use std::io::{self, Read, Write};

use bytes::Bytes;
use futures::{StreamExt, stream};
use prost_types::Timestamp;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status, Streaming};

use cove_proto::v1::{
    self, GetImageRequest, GetImageResponse, Image, ImportImageRequest, ImportImageResponse, ListImagesRequest,
    ListImagesResponse, LoadImagesRequest, LoadImagesResponse, RemoveImageRequest, RemoveImageResponse, RemovedImage,
    SaveImagesRequest, SaveImagesResponse, TagImageRequest, TagImageResponse, import_image_request::Message,
    removed_image::What,
};

use super::error::missing;
use crate::{
    containers::chain,
    images::{ImageStore, ImageSummary, ImagesError, ImportRequest, Kind, LoadedImage, Removed},
};

/// Chunks on their way between the client and the store.
const CHUNKS: usize = 8;
/// Size of the chunks that an archive is sent in.
const CHUNK_BYTES: usize = 64 << 10;

/// `cove.v1.Images`.
#[derive(Clone)]
pub struct ImagesService {
    store: ImageStore,
}

impl ImagesService {
    /// The service of this store.
    #[must_use]
    pub fn new(store: ImageStore) -> Self {
        Self { store }
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

    async fn load_images(
        &self,
        request: Request<Streaming<LoadImagesRequest>>,
    ) -> Result<Response<Self::LoadImagesStream>, Status> {
        let archive = receive(request.into_inner().map(|message| message.map(|message| Bytes::from(message.data))));
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
        let (sender, receiver) = mpsc::channel(CHUNKS);
        tokio::task::spawn_blocking(move || {
            let mut out = Sender { sender: sender.clone(), chunk: Vec::with_capacity(CHUNK_BYTES) };
            if let Err(error) = store.save(&images, &mut out) {
                // A client that has gone needs no error.
                let _gone = sender.blocking_send(Err(error.into()));
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
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
        let tar = receive(sent.map(|message| match message?.message {
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
        let RemoveImageRequest { image, force } = request.into_inner();
        let removed = self.call(move |store| store.remove(&image, force)).await?;
        Ok(Response::new(RemoveImageResponse { removed: removed.into_iter().map(step).collect() }))
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
    }
}

fn step(step: Removed) -> RemovedImage {
    let what = match step {
        Removed::Untagged(reference) => What::Untagged(reference),
        Removed::Deleted(digest) => What::Deleted(digest),
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

/// Passes a stream of the client on to a thread that blocks.
fn receive(mut sent: impl stream::Stream<Item = Result<Bytes, Status>> + Send + Unpin + 'static) -> Received {
    let (sender, chunks) = mpsc::channel(CHUNKS);
    tokio::spawn(async move {
        while let Some(chunk) = sent.next().await {
            // The end of the channel alone would read as the end of the archive: an error says that it is not.
            let failed = chunk.is_err();
            if sender.send(chunk).await.is_err() || failed {
                return;
            }
        }
    });
    Received { chunks, chunk: Bytes::new() }
}

/// Reads what a client sends.
struct Received {
    chunks: mpsc::Receiver<Result<Bytes, Status>>,
    chunk: Bytes,
}

impl Read for Received {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() && !buffer.is_empty() {
            match self.chunks.blocking_recv() {
                Some(Ok(chunk)) => self.chunk = chunk,
                Some(Err(status)) => return Err(io::Error::new(io::ErrorKind::ConnectionAborted, status)),
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.chunk.len());
        buffer[..count].copy_from_slice(&self.chunk.split_to(count));
        Ok(count)
    }
}

/// Sends what is written to it.
struct Sender {
    sender: mpsc::Sender<Result<SaveImagesResponse, Status>>,
    chunk: Vec<u8>,
}

impl Sender {
    fn send(&mut self) -> io::Result<()> {
        let data = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES));
        let message = Ok(SaveImagesResponse { data });
        self.sender.blocking_send(message).map_err(|_gone| io::ErrorKind::ConnectionAborted.into())
    }
}

impl Write for Sender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(CHUNK_BYTES - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..count]);
        if self.chunk.len() == CHUNK_BYTES {
            self.send()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() { Ok(()) } else { self.send() }
    }
}
