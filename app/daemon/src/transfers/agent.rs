//! The agent's services, in process: calls go where those of clients go, and start the machine as theirs do.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use cove_proto::v1::images_client::ImagesClient;
use http::{Request, Response};
use tonic::body::Body;

use crate::router::forward::Forwarder;

/// The largest message: an image with its configuration and manifest.
const LARGEST_MESSAGE: usize = 64 << 20;

/// The way to the agent. A clone is cheap.
#[derive(Clone)]
pub(super) struct Agent(Arc<Forwarder>);

impl Agent {
    pub(super) fn behind(forwarder: Arc<Forwarder>) -> Self {
        Self(forwarder)
    }

    /// `cove.v1.Images`.
    pub(super) fn images(&self) -> ImagesClient<Self> {
        ImagesClient::new(self.clone()).max_decoding_message_size(LARGEST_MESSAGE)
    }
}

impl tower::Service<Request<Body>> for Agent {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let forwarder = Arc::clone(&self.0);
        Box::pin(async move { Ok(forwarder.forward(request).await) })
    }
}
