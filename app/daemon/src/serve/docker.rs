//! The Docker API over HTTP/1.1. What it says is `cove_docker_api`'s; the engine that it calls is the router, in process.

use cove_docker_api::{Api, BoxError, Engine, HostFacts};
use cove_platform::local::LocalStream;
use tonic::{body::Body, service::Routes};
use tower::ServiceExt;

/// The API over these routes.
#[must_use]
pub fn api(routes: Routes) -> Api {
    let engine = Engine::new(ServiceExt::<http::Request<Body>>::map_err(routes, BoxError::from));
    Api::new(engine, HostFacts { daemon_version: env!("CARGO_PKG_VERSION").to_owned() })
}

/// Serves one connection until it ends. The API has no way to end one between two requests, so once the machine is down
/// the accept loop waits a moment and cuts what is left.
pub async fn connection(stream: LocalStream, api: Api) {
    let gone = stream.gone();
    if let Err(error) = api.serve_connection(stream, gone).await {
        tracing::debug!(error = crate::rpc::error::chain(&error), "docker connection");
    }
}
