//! Lines of a progress stream.

use bytes::Bytes;
use serde_json::{Value, json};

/// A message of a progress stream ends with both control characters.
pub(super) fn line(value: &Value) -> Bytes {
    Bytes::from(format!("{value}\r\n"))
}

/// What went wrong once lines were out.
pub(super) fn failed(status: &tonic::Status) -> Bytes {
    let message = crate::error::chain(status);
    line(&json!({"errorDetail": {"message": message}, "error": message}))
}
