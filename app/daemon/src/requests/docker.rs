//! Docker's API for a container to which it was granted: each connection that it makes to its socket is a raw stream, and is
//! served as one to the daemon's own socket is.

use std::sync::Arc;

use cove_docker_api::Api;
use cove_gateway::{streams::Streams, way_out};
use cove_proto::v1::{OpenDockerApi, serve_guest_request::Answer};
use tokio::sync::oneshot;

use super::answer::refused;
use crate::{rpc::error::chain, shares::grants::Grants};

/// Linux's EACCES.
const NOT_ALLOWED: i32 = 13;

/// What may be on its way between the stream and the API.
const BUFFER_BYTES: usize = 64 << 10;

/// The API, and who was granted it; clones share it.
#[derive(Debug, Clone)]
pub struct DockerRelay {
    grants: Arc<Grants>,
    api: Api,
}

impl DockerRelay {
    /// The API for those with one of these grants.
    #[must_use]
    pub fn new(grants: Arc<Grants>, api: Api) -> Self {
        Self { grants, api }
    }

    /// Serves one connection. Nothing is answered if the stream says it all.
    pub(super) async fn connect(&self, flow: u64, asked: OpenDockerApi, streams: &Streams) -> Option<Answer> {
        match self.grants.find(&asked.share_id) {
            Ok(grant) if grant.docker_api => {}
            Ok(_) => return Some(refused(NOT_ALLOWED, "the share is not Docker's API".to_owned())),
            Err(error) => return Some(refused(NOT_ALLOWED, chain(&error))),
        }
        let stream = match way_out::open(flow, streams).await {
            Ok(stream) => stream,
            Err(answer) => return answer,
        };
        let (ours, mut theirs) = tokio::io::duplex(BUFFER_BYTES);
        // Sent by being dropped: the container has closed its socket for good.
        let (left, gone) = oneshot::channel::<()>();
        let carry = async move {
            let _ended = streams.carry(stream, &mut theirs).await;
            drop(left);
        };
        let serve = self.api.serve_connection(ours, async move { gone.await.unwrap_or_default() });
        if let ((), Err(error)) = tokio::join!(carry, serve) {
            tracing::debug!(error = chain(&error), "docker connection of a container");
        }
        None
    }
}
