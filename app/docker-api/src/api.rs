//! The public surface: what serves a connection, and what it needs for that.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::connection;

/// Any error of the engine's transport.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Where calls of `cove.v1` go: the daemon's router, in process. A clone is cheap and made for each call.
pub type Engine =
    tower::util::BoxCloneSyncService<http::Request<tonic::body::Body>, http::Response<tonic::body::Body>, BoxError>;

/// What every answer says, known without any call.
#[derive(Debug, Clone)]
pub struct HostFacts {
    /// Version of the daemon, "0.1.0"; goes into the `Server` header.
    pub daemon_version: String,
}

/// A connection ended in another way than by its end.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// What the client sent is not HTTP/1, or the connection broke in the middle of a message.
    #[error("http connection")]
    Http(#[from] hyper::Error),
    /// A hijacked connection broke.
    #[error("hijacked connection")]
    Hijacked(#[from] std::io::Error),
}

/// What the requests of all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Where calls go.
    pub(crate) engine: Engine,
    /// What every answer says.
    pub(crate) host: HostFacts,
}

/// The Docker Engine API over one engine. A clone is cheap.
#[derive(Debug, Clone)]
pub struct Api {
    shared: Arc<Shared>,
}

impl Api {
    /// Makes the API of an engine.
    pub fn new(engine: Engine, host: HostFacts) -> Self {
        Self { shared: Arc::new(Shared { engine, host }) }
    }

    /// Serves one connection until it ends. `gone` comes when the client has closed both directions, which reading alone
    /// cannot tell from one that only sends no more; never, where the transport cannot know. Dropping the future ends the connection and cancels what it waits for.
    ///
    /// # Errors
    /// The connection broke; most are clients that went away and are worth a debug line.
    pub async fn serve_connection<S>(
        &self,
        stream: S,
        gone: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServeError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        connection::serve(Arc::clone(&self.shared), stream, Box::pin(gone)).await
    }
}
