//! The way to the daemon: `cove.v1` over this user's own socket or pipe.

mod start;

use std::{io, path::Path};

use cove_platform::{
    home::Home,
    local::{Endpoint, LocalStream},
};
use cove_proto::v1::{
    GetGuestRequest, GetGuestResponse, containers_client::ContainersClient, execs_client::ExecsClient,
    guest_client::GuestClient, images_client::ImagesClient, machine_client::MachineClient,
};
use hyper_util::rt::TokioIo;
use tonic::{Code, metadata::MetadataValue, transport::Channel};

use crate::failure::Failure;

pub(crate) use self::start::Started;

/// The most bytes of one message: a list of very many containers, not an attack, is the limit here.
const LARGEST_MESSAGE_BYTES: usize = 256 << 20;

/// HTTP/2 windows: a container's output and an image's archive flow without waiting for each other's acknowledgement.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;

/// A connection to the daemon.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    channel: Channel,
}

macro_rules! clients {
    ($($(#[$doc:meta])* $name:ident: $client:ident;)*) => {
        impl Engine {
            $($(#[$doc])* pub(crate) fn $name(&self) -> $client<Channel> {
                $client::new(self.channel.clone()).max_decoding_message_size(LARGEST_MESSAGE_BYTES)
            })*
        }
    };
}

clients! {
    /// `cove.v1.Machine`.
    machine: MachineClient;
    /// `cove.v1.Guest`.
    guest: GuestClient;
    /// `cove.v1.Containers`.
    containers: ContainersClient;
    /// `cove.v1.Execs`.
    execs: ExecsClient;
    /// `cove.v1.Images`.
    images: ImagesClient;
}

impl Engine {
    /// Connects to the daemon of this home; `None` if none runs.
    ///
    /// # Errors
    /// If something is there and cannot be used.
    pub(crate) async fn find(home: &Home) -> Result<Option<Self>, Failure> {
        let endpoint = home.engine_endpoint();
        endpoint.check().map_err(|error| Failure::new("find coved").because(error))?;
        match LocalStream::connect(&endpoint).await {
            Ok(_) => Ok(Some(Self::over(endpoint))),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                Ok(None)
            }
            Err(error) => Err(Failure::new(format!("connect to coved at {endpoint}")).because(error)),
        }
    }

    /// Connects to the daemon of this user, and starts one if none runs.
    ///
    /// # Errors
    /// If it cannot be started or reached.
    pub(crate) async fn reach() -> Result<Self, Failure> {
        Ok(Self::reach_in(&home()?).await?.0)
    }

    /// As [`Engine::reach`], in a home that is known, and says whether the daemon had to be started.
    ///
    /// # Errors
    /// If it cannot be started or reached.
    pub(crate) async fn reach_in(home: &Home) -> Result<(Self, Started), Failure> {
        match Self::find(home).await? {
            Some(engine) => Ok((engine, Started::Before)),
            None => start::daemon(home).await.map(|engine| (engine, Started::Now)),
        }
    }

    /// What the guest says of itself; `None` if the machine ends just now, which the next look at it will tell.
    ///
    /// # Errors
    /// If the guest cannot answer for another reason.
    pub(crate) async fn guest_if_there(&self) -> Result<Option<GetGuestResponse>, Failure> {
        let mut request = tonic::Request::new(GetGuestRequest {});
        request.metadata_mut().insert(cove_proto::NO_WAKE, MetadataValue::from_static("1"));
        match self.guest().get_guest(request).await {
            Ok(answer) => Ok(Some(answer.into_inner())),
            Err(status) if status.code() == Code::Unavailable => Ok(None),
            Err(status) => Err(status.into()),
        }
    }

    fn over(endpoint: Endpoint) -> Self {
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

/// The home of this user's Cove.
///
/// # Errors
/// If the system names none.
pub(crate) fn home() -> Result<Home, Failure> {
    Home::find(None).map_err(|error| Failure::new("find the folder of Cove").because(error))
}

/// Waits until the daemon of this home has ended: until it has given its lock back.
///
/// # Errors
/// If the lock cannot be waited for.
pub(crate) async fn daemon_ended(home: &Home) -> Result<(), Failure> {
    let path = home.lock();
    let wait = move || wait_for_lock(&path);
    let waited = tokio::task::spawn_blocking(wait).await.map_err(io::Error::other).and_then(|waited| waited);
    waited.map_err(|error| Failure::new("wait for the end of coved").because(error))
}

fn wait_for_lock(path: &Path) -> io::Result<()> {
    match std::fs::File::open(path) {
        Ok(file) => file.lock_shared(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
