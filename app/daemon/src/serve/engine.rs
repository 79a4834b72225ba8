//! `cove.v1` over HTTP/2 without TLS: the socket is this user's own.

use cove_platform::local::LocalStream;
use hyper::server::conn::http2;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tonic::service::Routes;

use super::{Ending, told};
use crate::agent::{CONNECTION_WINDOW_BYTES, STREAM_WINDOW_BYTES};

/// A desktop app watches much at once over one connection; hyper's 200 would then stop it silently.
const MAX_STREAMS: u32 = 4096;

/// Serves one connection until it ends.
pub async fn connection(stream: LocalStream, routes: Routes, mut ending: Ending) {
    let connection = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(MAX_STREAMS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    let mut connection = std::pin::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = told(&mut ending.leaving) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        // Clients that go away without a word are most of these.
        tracing::debug!(%error, "engine connection");
    }
}
