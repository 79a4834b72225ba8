//! `POST /commit`.

use cove_proto::v1;
use http::StatusCode;
use serde_json::{Value, json};

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::routes::images::tag::reference;

/// Makes an image from a container.
pub(in crate::routes) async fn commit(mut call: Call) -> Result<Reply, Error> {
    let config = match call.json_if_any().await? {
        Value::Null => Vec::new(),
        config => config.to_string().into_bytes(),
    };
    let query = &call.query;
    let request = v1::CommitContainerRequest {
        container: query.get("container").to_owned(),
        reference: reference(query.get("repo"), query.get("tag")),
        author: query.get("author").to_owned(),
        message: query.get("comment").to_owned(),
        changes: query.all("changes"),
        // What does not say it means it.
        pause: query.get("pause").is_empty() || query.flag("pause"),
        config_json: config,
    };
    let id = call.files().commit_container(request).await?.into_inner().id;
    Ok(Reply::json(StatusCode::CREATED, &json!({"Id": id})))
}
