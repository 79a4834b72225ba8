//! `cove.v1.Host`.

use futures::{StreamExt, stream::BoxStream};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use cove_proto::v1::{self, ServeGuestRequest, ServeGuestResponse};

use crate::host::Host;

/// `cove.v1.Host`.
#[derive(Debug, Clone)]
pub struct HostService {
    host: Host,
}

impl HostService {
    /// The service by which this host is asked.
    #[must_use]
    pub fn new(host: Host) -> Self {
        Self { host }
    }
}

#[tonic::async_trait]
impl v1::host_server::Host for HostService {
    type ServeGuestStream = BoxStream<'static, Result<ServeGuestResponse, Status>>;

    async fn serve_guest(
        &self,
        request: Request<Streaming<ServeGuestRequest>>,
    ) -> Result<Response<Self::ServeGuestStream>, Status> {
        let requests = self.host.serve(request.into_inner());
        Ok(Response::new(ReceiverStream::new(requests).map(Ok).boxed()))
    }
}
