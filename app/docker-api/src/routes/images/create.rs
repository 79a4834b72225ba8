//! `POST /images/create`: pulling an image, or importing the tar of a file system.

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::routes::images::{import, pull};

/// Pulls with `fromImage`, imports with `fromSrc`.
pub(in crate::routes) async fn create(call: Call) -> Result<Reply, Error> {
    if call.query.get("fromImage").is_empty() { import::import(call).await } else { pull::pull(call).await }
}
