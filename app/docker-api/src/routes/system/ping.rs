//! `/_ping`: the first request of every client. Answered without any call, so that it costs nothing and boots nothing.

use http::{HeaderValue, StatusCode, header};

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;

/// GET: the headers and "OK".
pub(in crate::routes) async fn get(_call: Call) -> Result<Reply, Error> {
    Ok(with_headers(Reply::typed(StatusCode::OK, "text/plain; charset=utf-8", "OK")))
}

/// HEAD: the headers.
pub(in crate::routes) async fn head(_call: Call) -> Result<Reply, Error> {
    Ok(with_headers(Reply::typed(StatusCode::OK, "text/plain; charset=utf-8", "")))
}

fn with_headers(reply: Reply) -> Reply {
    let Reply::Http(mut response) = reply else { return reply };
    let headers = response.headers_mut();
    // "1" is the builder of before BuildKit: without BuildKit's endpoints, a client is told by `POST /build` itself
    // that there is no build yet.
    headers.insert("Builder-Version", HeaderValue::from_static("1"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, must-revalidate"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert("Swarm", HeaderValue::from_static("inactive"));
    Reply::Http(response)
}
