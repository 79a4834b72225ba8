//! One HTTP/2 connection to the agent.

use std::{fmt, sync::Arc, time::Duration};

use cove_machine::hypervisor::{self, HypervisorError, Vm};
use cove_proto::{
    boot_secret::{BootSecret, HandshakeError},
    paced::Paced,
    ports,
};
use http::{Request, Response, Uri, Version, uri::PathAndQuery};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tonic::body::Body;

use super::severed::Severed;

/// HTTP/2 windows: what may be under way before the reader has said that it took it. Large enough that a container's
/// output or an image's archive does not wait for acknowledgements.
pub const STREAM_WINDOW_BYTES: u32 = 4 << 20;
/// The same for all streams of a connection together.
pub const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;

/// What a machine that has ended may still have on its way to us: the news of its end and the last bytes of its streams
/// come through different processes.
const LAST_BYTES: Duration = Duration::from_millis(250);

/// Why there is no connection to the agent.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// No boot has begun.
    #[error("no secret of a boot is known")]
    NoSecret,
    /// The port could not be dialled.
    #[error("dial the agent")]
    Hypervisor(#[from] HypervisorError),
    /// It did not prove itself, or left.
    #[error("prove ourselves to the agent")]
    Handshake(#[from] HandshakeError),
    /// It does not speak HTTP/2.
    #[error("speak HTTP/2 with the agent")]
    Http(#[from] hyper::Error),
}

/// A connection. It ends when the last clone and the last answer are dropped, or with the machine.
#[derive(Clone)]
pub struct Connection {
    vm: Arc<dyn Vm>,
    sender: http2::SendRequest<Body>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("closed", &self.sender.is_closed()).finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) async fn dial(vm: Arc<dyn Vm>, secret: &BootSecret) -> Result<Self, DialError> {
        let stream = prove(vm.clone(), ports::AGENT, secret).await?;
        let (sender, driver) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .handshake(TokioIo::new(stream))
            .await?;
        tokio::spawn(async move {
            // Whoever waits for an answer on it gets the error and says more than could be said here.
            if let Err(error) = driver.await {
                tracing::debug!(%error, "connection to the agent");
            }
        });
        Ok(Self { vm, sender })
    }

    /// Whether nothing can be sent on it any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// The machine that it leads into.
    #[must_use]
    pub fn vm(&self) -> &Arc<dyn Vm> {
        &self.vm
    }

    /// Sends a request and waits for the head of the answer. Its scheme and host are set here.
    ///
    /// # Errors
    /// hyper's, with the request if none of it has been sent, so that it can be tried on another connection.
    pub async fn send(
        &mut self,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Body>>> {
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = address(request.uri().path_and_query().cloned());
        self.sender.try_send_request(request).await
    }
}

/// Dials a port of the agent. Both halves have proven themselves then.
pub(super) async fn prove(
    vm: Arc<dyn Vm>,
    port: u32,
    secret: &BootSecret,
) -> Result<Severed<Paced<hypervisor::Connection>>, DialError> {
    let mut stream = Paced(vm.connect(port).await?);
    secret.prove_as_host(&mut stream).await?;
    Ok(Severed::at(stream, ended(vm)))
}

/// HTTP/2 wants a scheme and a host; nobody looks at them.
fn address(path: Option<PathAndQuery>) -> Uri {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(http::uri::Scheme::HTTP);
    parts.authority = Some(http::uri::Authority::from_static("agent"));
    parts.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    // A scheme, an authority and a path are a valid address; there is no other case.
    Uri::from_parts(parts).unwrap_or_default()
}

/// Answers when the machine has ended and its last bytes must have come.
async fn ended(vm: Arc<dyn Vm>) {
    cove_machine::lifecycle::ended(vm.state()).await;
    tokio::time::sleep(LAST_BYTES).await;
}

/// For tonic's clients.
impl tower::Service<Request<Body>> for Connection {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        self.sender.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut connection = self.clone();
        Box::pin(async move { connection.send(request).await.map_err(TrySendError::into_error) })
    }
}
