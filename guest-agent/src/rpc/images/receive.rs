//! `ReceiveImage` and `ReceiveLayer`: an image as long as its stream lasts, layers on streams of their own.

use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use cove_proto::v1::{
    ReceiveCommit, ReceiveCommitted, ReceiveImageRequest, ReceiveImageResponse, ReceiveLayerOpen, ReceiveLayerRequest,
    ReceiveLayerResponse, ReceiveOpen, ReceiveOpened, receive_image_request as from_host,
    receive_image_response as to_host, receive_layer_request as layer_from_host,
};

use super::ImagesService;
use crate::images::{Digest, DigestError, IncomingImage, Receipt, RemoteLayer};
use crate::rpc::{chunks, error::missing};

/// Bytes of a layer between two words of progress.
const PROGRESS_BYTES: u64 = 256 << 10;

type Answers<T> = ReceiverStream<Result<T, Status>>;

/// Takes in an image: answers the first message, and the last one when it comes.
pub(super) async fn image(
    service: &ImagesService,
    mut sent: Streaming<ReceiveImageRequest>,
) -> Result<Answers<ReceiveImageResponse>, Status> {
    let Some(ReceiveImageRequest { message: Some(from_host::Message::Open(open)) }) = sent.message().await? else {
        return Err(missing("what comes, as its first message"));
    };
    let wanted = incoming(open).map_err(|error| Status::invalid_argument(error.to_string()))?;
    let receipt = service.call(move |store| store.receive(wanted)).await?;
    let (answers, receiver) = mpsc::channel(2);
    let missing = receipt.missing().iter().filter_map(|index| u32::try_from(*index).ok()).collect();
    let opened = to_host::Message::Opened(ReceiveOpened { receipt: receipt.name().to_owned(), missing });
    let _room = answers.try_send(Ok(ReceiveImageResponse { message: Some(opened) }));
    tokio::spawn(finish(service.clone(), receipt, sent, answers));
    Ok(ReceiverStream::new(receiver))
}

/// Waits for the commit. Without one, all that came is dropped with the receipt, on a thread that may block.
async fn finish(
    service: ImagesService,
    receipt: Receipt,
    mut sent: Streaming<ReceiveImageRequest>,
    answers: mpsc::Sender<Result<ReceiveImageResponse, Status>>,
) {
    let commit = match sent.message().await {
        Ok(Some(ReceiveImageRequest { message: Some(from_host::Message::Commit(commit)) })) => Some(commit),
        _ => None,
    };
    let committed = service
        .call(move |_| {
            let ReceiveCommit { references, digests, pushed } = match commit {
                Some(commit) => commit,
                None => return Ok(None),
            };
            receipt.commit(&references, &digests, pushed).map(Some)
        })
        .await;
    let answer = match committed {
        Ok(Some((id, known))) => Ok(to_host::Message::Committed(ReceiveCommitted { id, known })),
        Ok(None) => Err(Status::cancelled("the image was not committed")),
        Err(status) => Err(status),
    };
    // A host that has gone needs no answer.
    let _gone = answers.send(answer.map(|message| ReceiveImageResponse { message: Some(message) })).await;
}

/// Takes in a layer.
pub(super) async fn layer(
    service: &ImagesService,
    mut sent: Streaming<ReceiveLayerRequest>,
) -> Result<Answers<ReceiveLayerResponse>, Status> {
    let Some(ReceiveLayerRequest { message: Some(layer_from_host::Message::Open(open)) }) = sent.message().await?
    else {
        return Err(missing("which layer, as its first message"));
    };
    let ReceiveLayerOpen { receipt, layer } = open;
    let incoming = service.store.incoming_image(&receipt)?;
    let (answers, receiver) = mpsc::channel(chunks::CHUNKS);
    let source = chunks::receive(sent.map(|message| match message?.message {
        Some(layer_from_host::Message::Data(data)) => Ok(Bytes::from(data)),
        _ => Err(missing("data")),
    }));
    let places = std::sync::Arc::clone(&service.places);
    tokio::spawn(async move {
        let _place = places.acquire_owned().await;
        let progress = answers.clone();
        let unpack = move || {
            let mut told = 0;
            let tell = |unpacked_bytes| {
                if unpacked_bytes >= told + PROGRESS_BYTES {
                    told = unpacked_bytes;
                    // A host that does not listen misses a word.
                    let _full = progress.try_send(Ok(ReceiveLayerResponse { unpacked_bytes, done: false }));
                }
            };
            incoming.layer(layer as usize, source, tell)
        };
        let answer = match tokio::task::spawn_blocking(unpack).await {
            Ok(Ok(unpacked_bytes)) => Ok(ReceiveLayerResponse { unpacked_bytes, done: true }),
            Ok(Err(error)) => Err(error.into()),
            Err(_stopped) => Err(Status::unavailable("the agent is shutting down")),
        };
        let _gone = answers.send(answer).await;
    });
    Ok(ReceiverStream::new(receiver))
}

fn incoming(open: ReceiveOpen) -> Result<IncomingImage, DigestError> {
    let mut layers = Vec::new();
    for layer in open.layers {
        let digest = Digest::parse(&layer.digest)?;
        layers.push(RemoteLayer { digest, media_type: layer.media_type, size_bytes: layer.size_bytes });
    }
    Ok(IncomingImage {
        config: open.config_json,
        layers,
        manifest: open.manifest,
        media_type: open.manifest_media_type,
        repository: open.repository,
    })
}
