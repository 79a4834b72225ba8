//! HTTP/1.1 on one stream, and the handover when a handler takes the stream for itself.
//!
//! A hijack does not go through hyper's upgrades: these know 101 only, and dockerd also hijacks with 200 for a request
//! without an `Upgrade` header. So a handler that hijacks never answers; it sends what is to happen to the driver below,
//! which takes the stream out of hyper together with the bytes that were read beyond the request.

use std::convert::Infallible;
use std::sync::Arc;

use futures::future::BoxFuture;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

use crate::api::{ServeError, Shared};
use crate::hijack::Hijack;
use crate::reply::Reply;
use crate::routes;

/// Serves one connection until it ends, is hijacked and ends, or the client goes away (which drops the handler, and
/// with it the calls that it waits for).
pub(crate) async fn serve<S>(shared: Arc<Shared>, stream: S, gone: BoxFuture<'static, ()>) -> Result<(), ServeError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (handover, mut hijacks) = mpsc::channel::<Hijack>(1);
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (shared, handover) = (Arc::clone(&shared), handover.clone());
        async move {
            match routes::answer(shared, request).await {
                Reply::Http(response) => Ok::<_, Infallible>(response),
                // The driver drops this future with the rest of hyper's connection; a closed channel means that it is
                // already doing so.
                Reply::Hijack(hijack) => match handover.send(hijack).await {
                    Ok(()) | Err(_) => std::future::pending().await,
                },
            }
        }
    });
    let mut connection = http1::Builder::new().title_case_headers(true).serve_connection(TokioIo::new(stream), service);
    let hijack = tokio::select! {
        ended = &mut connection => return ended.map_err(ServeError::from),
        Some(hijack) = hijacks.recv() => hijack,
    };
    let parts = connection.into_parts();
    Ok(hijack.run(parts.io.into_inner(), parts.read_buf, gone).await?)
}
