//! The engine as generated clients take it: with an error type of its own.
//!
//! A boxed error would do, were it not that the compiler cannot prove a future to be `Send` that converts one boxed
//! error into another (rust-lang/rust#100013).

use std::task::{Context, Poll};

use futures::future::BoxFuture;
use tower::Service;

use crate::api::{BoxError, Engine};

/// The engine could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unreachable(#[source] BoxError);

/// One call's handle of the engine.
#[derive(Debug, Clone)]
pub(crate) struct Dialled(pub(crate) Engine);

impl Service<http::Request<tonic::body::Body>> for Dialled {
    type Response = http::Response<tonic::body::Body>;
    type Error = Unreachable;
    type Future = BoxFuture<'static, Result<Self::Response, Unreachable>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Unreachable>> {
        self.0.poll_ready(cx).map_err(Unreachable)
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async move { answer.await.map_err(Unreachable) })
    }
}
