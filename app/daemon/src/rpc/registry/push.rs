//! `PushImage`.

use std::sync::Arc;

use cove_proto::v1::{PushBegun, PushDone, PushImageRequest, PushImageResponse, push_image_response::Event};
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
        push::{self, Done, Wanted},
    },
};

impl RegistryRpc {
    pub(super) async fn push(&self, request: PushImageRequest) -> Result<Answers<PushImageResponse>, Status> {
        let name = reference(&request.reference)?;
        if name.has_digest() {
            return Err(Status::invalid_argument("cannot push a digest reference"));
        }
        if request.all_tags && !name.is_name_only() {
            return Err(Status::invalid_argument("tag can't be used with --all-tags/-a"));
        }
        let credentials = self.transfers.credentials(request.credentials, &name).await;
        let credentials = credentials.map_err(|failed| error::registry(&failed))?;
        let begun = Event::Begun(PushBegun { repository: name.name() });
        let begun = stream::once(std::future::ready(Ok(PushImageResponse { event: Some(begun) })));
        let transfers = Arc::clone(&self.transfers);
        let names = async move {
            let names = if request.all_tags { transfers.tags_here(&name).await } else { Ok(vec![name.or_latest()]) };
            // A failure to list them comes in the stream, behind where it would have gone.
            let names = names.map_or_else(|failed| vec![Err(failed)], |names| names.into_iter().map(Ok).collect());
            stream::iter(names).flat_map(move |reference| match reference {
                Ok(reference) => {
                    let wanted = Wanted { reference, credentials: credentials.clone() };
                    let push = push::begin(Arc::clone(&transfers), wanted);
                    follow::follow(Direction::Push, push).map(|told| told.map(encode)).boxed()
                }
                Err(failed) => stream::once(std::future::ready(Err(failed))).boxed(),
            })
        };
        Ok(until_error(begun.chain(stream::once(names).flatten())))
    }
}

fn encode(told: Told<(), Done>) -> PushImageResponse {
    let event = match told {
        Told::Begun(()) => None,
        Told::Layer(layer) => Some(Event::Layer(layer)),
        Told::Done(Done { tag, digest, size }) => Some(Event::Done(PushDone { tag, digest, size_bytes: size })),
    };
    PushImageResponse { event }
}
