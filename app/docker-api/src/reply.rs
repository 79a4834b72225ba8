//! What a handler gives back: a response, or a hijack.

use std::convert::Infallible;

use bytes::Bytes;
use futures::Stream;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};

use crate::api::BoxError;
use crate::error::Error;
use crate::hijack::Hijack;

/// The body of any response.
pub(crate) type Body = UnsyncBoxBody<Bytes, BoxError>;

/// What a handler gives back.
pub(crate) enum Reply {
    /// A response.
    Http(Response<Body>),
    /// Takes the connection over.
    Hijack(Hijack),
}

impl Reply {
    /// JSON, with the line feed that Go's encoder ends it with.
    pub(crate) fn json(status: StatusCode, value: &Value) -> Self {
        Self::typed(status, "application/json", format!("{value}\n"))
    }

    /// Text or bytes of a content type.
    pub(crate) fn typed(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut response = Response::new(full(body.into()));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self::Http(response)
    }

    /// A status and nothing more.
    pub(crate) fn empty(status: StatusCode) -> Self {
        let mut response = Response::new(full(Bytes::new()));
        *response.status_mut() = status;
        Self::Http(response)
    }

    /// 200 with pieces that are sent as they come; an error breaks the connection off, which clients notice.
    pub(crate) fn stream<S, E>(content_type: &'static str, pieces: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        use futures::StreamExt as _;
        let frames = pieces.map(|piece| piece.map(Frame::data).map_err(Into::into));
        let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self::Http(response)
    }

    /// An error as clients expect it: JSON, or a line of text where the API version is older than JSON errors.
    pub(crate) fn error(error: &Error) -> Self {
        if matches!(error, Error::VersionTooOld { .. }) {
            let mut reply = Self::typed(error.status(), "text/plain; charset=utf-8", format!("{error}\n"));
            if let Self::Http(response) = &mut reply {
                response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            }
            return reply;
        }
        Self::json(error.status(), &json!({"message": error.to_string()}))
    }
}

/// A body that is there at once.
fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
}
