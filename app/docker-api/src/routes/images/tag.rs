//! `POST /images/{name}/tag`.

use cove_proto::v1;
use http::StatusCode;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;

/// Gives an image one more reference.
pub(in crate::routes) async fn tag(call: Call) -> Result<Reply, Error> {
    let reference = reference(call.query.get("repo"), call.query.get("tag"));
    call.images().tag_image(v1::TagImageRequest { image: call.name(), reference }).await?;
    Ok(Reply::empty(StatusCode::CREATED))
}

/// Joins a repository and a tag; either may be empty, and old clients put the tag into the repository.
pub(super) fn reference(repo: &str, tag: &str) -> String {
    match tag {
        "" => repo.to_owned(),
        digest if digest.contains(':') => format!("{repo}@{digest}"),
        tag => format!("{repo}:{tag}"),
    }
}
