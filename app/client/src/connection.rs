//! The clients of `cove.v1` over this user's own socket or pipe.

use std::{io, time::Duration};

use cove_platform::{
    home::Home,
    local::{Endpoint, LocalStream},
};
use cove_proto::v1::{
    GetGuestRequest, GetGuestResponse, containers_client::ContainersClient, egress_client::EgressClient,
    events_client::EventsClient, execs_client::ExecsClient, files_client::FilesClient, guest_client::GuestClient,
    images_client::ImagesClient, machine_client::MachineClient, networks_client::NetworksClient,
    registry_client::RegistryClient, shares_client::SharesClient, volumes_client::VolumesClient,
};
use hyper_util::rt::TokioIo;
use tonic::{Code, Status, metadata::MetadataValue, transport::Channel};

use crate::{
    error::ClientError,
    start::{self, Started},
};

/// The most bytes of one message: a list of very many containers, not an attack, is the limit here.
const LARGEST_MESSAGE_BYTES: usize = 256 << 20;

/// HTTP/2 windows: a container's output and an image's archive flow without waiting for each other's acknowledgement.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;

/// How long the guest may take to say how it is: an agent that ends again and again must not keep waiting who asks for that.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection to the daemon. A clone is cheap.
#[derive(Debug, Clone)]
pub struct Engine {
    channel: Channel,
}

macro_rules! clients {
    ($($(#[$doc:meta])* $name:ident: $client:ident;)*) => {
        impl Engine {
            $($(#[$doc])* #[must_use] pub fn $name(&self) -> $client<Channel> {
                $client::new(self.channel.clone()).max_decoding_message_size(LARGEST_MESSAGE_BYTES)
            })*
        }
    };
}

clients! {
    /// `cove.v1.Machine`.
    machine: MachineClient;
    /// `cove.v1.Registry`.
    registry: RegistryClient;
    /// `cove.v1.Guest`.
    guest: GuestClient;
    /// `cove.v1.Containers`.
    containers: ContainersClient;
    /// `cove.v1.Execs`.
    execs: ExecsClient;
    /// `cove.v1.Events`.
    events: EventsClient;
    /// `cove.v1.Images`.
    images: ImagesClient;
    /// `cove.v1.Files`.
    files: FilesClient;
    /// `cove.v1.Volumes`.
    volumes: VolumesClient;
    /// `cove.v1.Networks`.
    networks: NetworksClient;
    /// `cove.v1.Shares`.
    shares: SharesClient;
    /// `cove.v1.Egress`.
    egress: EgressClient;
}

impl Engine {
    /// Connects to the daemon of this home; `None` if none runs.
    ///
    /// # Errors
    /// If something is there and cannot be used.
    pub async fn find(home: &Home) -> Result<Option<Self>, ClientError> {
        let endpoint = home.engine_endpoint();
        endpoint.check()?;
        match LocalStream::connect(&endpoint).await {
            Ok(_) => Ok(Some(Self::over(endpoint))),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                Ok(None)
            }
            Err(source) => Err(ClientError::Connect { endpoint, source }),
        }
    }

    /// Connects to the daemon of this user, and starts one if none runs.
    ///
    /// # Errors
    /// If it cannot be started or reached.
    pub async fn reach() -> Result<Self, ClientError> {
        let home = Home::find(None).map_err(ClientError::Home)?;
        Ok(Self::reach_in(&home).await?.0)
    }

    /// As [`Engine::reach`], in a home that is known, and says whether the daemon had to be started.
    ///
    /// # Errors
    /// If it cannot be started or reached.
    pub async fn reach_in(home: &Home) -> Result<(Self, Started), ClientError> {
        match Self::find(home).await? {
            Some(engine) => Ok((engine, Started::Before)),
            None => start::daemon(home).await.map(|engine| (engine, Started::Now)),
        }
    }

    /// What the guest says of itself; `None` if the machine ends just now, or the agent does not come up, which the next look
    /// at the machine will tell.
    ///
    /// # Errors
    /// If the guest cannot answer for another reason.
    pub async fn guest_if_there(&self) -> Result<Option<GetGuestResponse>, Status> {
        let mut request = tonic::Request::new(GetGuestRequest {});
        request.metadata_mut().insert(cove_proto::NO_WAKE, MetadataValue::from_static("1"));
        match tokio::time::timeout(PATIENCE, self.guest().get_guest(request)).await {
            Err(_) => Ok(None),
            Ok(Ok(answer)) => Ok(Some(answer.into_inner())),
            Ok(Err(status)) if status.code() == Code::Unavailable => Ok(None),
            Ok(Err(status)) => Err(status),
        }
    }

    pub(crate) fn over(endpoint: Endpoint) -> Self {
        // The authority is never looked up: every connection of this channel goes to the endpoint.
        let channel = tonic::transport::Endpoint::from_static("http://coved.invalid")
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .connect_with_connector_lazy(tower::service_fn(move |_| {
                let endpoint = endpoint.clone();
                async move { LocalStream::connect(&endpoint).await.map(TokioIo::new) }
            }));
        Self { channel }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn where_no_daemon_runs_none_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::find(Some(folder.path().to_owned())).unwrap();
        assert!(Engine::find(&home).await.unwrap().is_none());
    }
}
