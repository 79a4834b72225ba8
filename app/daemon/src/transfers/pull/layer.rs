//! One layer, from the network to the agent: no faster than the slower of both takes it, and never whole in memory.

use cove_proto::v1::{
    LayerPhase, ReceiveLayerOpen, ReceiveLayerRequest, ReceiveLayerResponse, images_client::ImagesClient,
    receive_layer_request::Message,
};
use cove_registry::blobs::{Download, Step};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{Begun, Done, fetch::hung_up};
use crate::{
    rpc::error,
    transfers::{
        agent::Agent,
        progress::{self, Book},
    },
};

/// Pieces that may wait for the agent.
const AHEAD: usize = 4;

/// A layer and its way.
pub(super) struct Bringing<'a> {
    pub(super) images: ImagesClient<Agent>,
    pub(super) download: Download,
    pub(super) receipt: &'a str,
    pub(super) index: usize,
    pub(super) book: &'a Book<Begun, Done>,
}

/// Brings it.
pub(super) async fn bring(bringing: Bringing<'_>) -> Result<(), Status> {
    let Bringing { mut images, download, receipt, index, book } = bringing;
    let (sender, receiver) = mpsc::channel(AHEAD);
    let open = ReceiveLayerOpen { receipt: receipt.to_owned(), layer: u32::try_from(index).unwrap_or(u32::MAX) };
    sender.send(message(Message::Open(open))).await.map_err(|_| hung_up())?;
    // Made before the answers and so dropped after them: an end of the pieces that comes before the call is given up would
    // look like the end of the layer.
    let mut sender = Some(sender);
    let answers = images.receive_layer(ReceiverStream::new(receiver)).await?.into_inner();
    tokio::try_join!(fetch(download, &mut sender, index, book), unpacked(answers, index, book)).map(drop)
}

/// Passes on what comes from the network.
async fn fetch(
    mut download: Download,
    sender: &mut Option<mpsc::Sender<ReceiveLayerRequest>>,
    index: usize,
    book: &Book<Begun, Done>,
) -> Result<(), Status> {
    let mut bytes = 0;
    while let Some(step) = download.next().await.map_err(|failed| error::registry(&failed))? {
        match step {
            Step::Data(data) => {
                bytes += data.len() as u64;
                let Some(taker) = &sender else { break };
                if taker.send(message(Message::Data(data.into()))).await.is_err() {
                    // The agent takes no more; its answer says why.
                    return std::future::pending().await;
                }
                book.reach(index, LayerPhase::Downloading, bytes);
            }
            Step::Waiting(wait) => {
                book.change(index, |layer| layer.retry = progress::retry(wait));
            }
        }
    }
    book.enter(index, LayerPhase::Downloaded);
    *sender = None;
    Ok(())
}

/// Hears how far the agent is, once all has come; before, the download says more.
async fn unpacked(
    mut answers: Streaming<ReceiveLayerResponse>,
    index: usize,
    book: &Book<Begun, Done>,
) -> Result<(), Status> {
    while let Some(answer) = answers.message().await? {
        if answer.done {
            return Ok(());
        }
        book.change(index, |layer| {
            if layer.phase >= LayerPhase::Downloaded {
                (layer.phase, layer.current) = (LayerPhase::Extracting, answer.unpacked_bytes);
            }
        });
    }
    Err(hung_up())
}

fn message(message: Message) -> ReceiveLayerRequest {
    ReceiveLayerRequest { message: Some(message) }
}
