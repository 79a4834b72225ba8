//! `cove.v1.HostFolders`: the daemon's call, by which it serves folders of the host.

use std::pin::Pin;

use cove_proto::v1::{ServeHostFoldersRequest, ServeHostFoldersResponse, host_folders_server::HostFolders};
use futures::{Stream, StreamExt as _};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::shares::Shares;

/// The service.
#[derive(Debug)]
pub struct HostFoldersService(Shares);

impl HostFoldersService {
    /// Serves these.
    #[must_use]
    pub fn new(shares: Shares) -> Self {
        Self(shares)
    }
}

#[tonic::async_trait]
impl HostFolders for HostFoldersService {
    type ServeHostFoldersStream = Pin<Box<dyn Stream<Item = Result<ServeHostFoldersResponse, Status>> + Send>>;

    async fn serve_host_folders(
        &self,
        request: Request<Streaming<ServeHostFoldersRequest>>,
    ) -> Result<Response<Self::ServeHostFoldersStream>, Status> {
        let shares = self.0.clone();
        let (to_host, from_here) = shares.serve();
        let mut said = request.into_inner();
        tokio::spawn(async move {
            while let Ok(Some(news)) = said.message().await {
                shares.from_host(&to_host, news);
            }
            shares.served(&to_host);
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(from_here).map(Ok))))
    }
}
