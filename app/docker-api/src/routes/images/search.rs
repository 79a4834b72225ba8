//! `GET /images/search`.

use cove_proto::v1;
use http::StatusCode;
use serde_json::{Value, json};

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::routes::registry::{credentials, refused};

/// The filters that dockerd knows.
const KNOWN: [&str; 3] = ["is-automated", "is-official", "stars"];

/// Searches a registry, Docker Hub if the term names none.
pub(in crate::routes) async fn search(call: Call) -> Result<Reply, Error> {
    let filters = call.query.filters()?;
    if let Some(unknown) = filters.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(Error::BadRequest(format!("invalid filter '{unknown}'")));
    }
    let first = |key: &str| filters.get(key).and_then(|list| list.values.first()).map(String::as_str);
    let (official, automated) =
        (flag("is-official", first("is-official"))?, flag("is-automated", first("is-automated"))?);
    let stars = match first("stars") {
        Some(text) => text.parse().map_err(|_| Error::BadRequest(format!("invalid filter 'stars=[{text}]'")))?,
        None => 0,
    };
    let limit = match call.query.number("limit")? {
        Some(limit) => u32::try_from(limit)
            .map_err(|_| Error::BadRequest(format!("limit {limit} is outside the range of [1, 100]")))?,
        None => 0,
    };
    let term = call.query.get("term").to_owned();
    let request = v1::SearchImagesRequest { term, limit, credentials: Some(credentials(&call)?) };
    let found = call.registry().search_images(request).await.map_err(refused)?.into_inner().images;
    let wanted = found.iter().filter(|found| {
        // Nothing is built by Docker Hub any more.
        found.stars >= stars && official.is_none_or(|wanted| wanted == found.official) && automated != Some(true)
    });
    Ok(Reply::json(StatusCode::OK, &Value::Array(wanted.map(shape).collect())))
}

fn flag(name: &str, text: Option<&str>) -> Result<Option<bool>, Error> {
    match text {
        None => Ok(None),
        Some("1" | "true") => Ok(Some(true)),
        Some("0" | "false") => Ok(Some(false)),
        Some(other) => Err(Error::BadRequest(format!("invalid filter '{name}=[{other}]'"))),
    }
}

fn shape(found: &v1::FoundImage) -> Value {
    json!({
        "star_count": found.stars,
        "is_official": found.official,
        "name": found.name,
        "is_automated": false,
        "description": found.description,
    })
}
