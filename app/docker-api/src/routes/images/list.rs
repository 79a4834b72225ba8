//! `GET /images/json`.

use cove_proto::v1;
use http::StatusCode;
use serde_json::Value;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::shapes::image;
use crate::version::ApiVersion;

/// Since this version a row counts the containers of its image; before, it says -1.
const COUNTED: ApiVersion = ApiVersion::new(1, 51);

/// Lists images.
pub(in crate::routes) async fn list(call: Call) -> Result<Reply, Error> {
    let request = v1::ListImagesRequest { filters: call.query.filters()? };
    let images = call.images().list_images(request).await?.into_inner().images;
    let counted = call.version >= COUNTED;
    let all = call.query.flag("all");
    let shown = images.iter().filter(|row| all || !image::is_intermediate(row, &images));
    let rows = shown.map(|image| image::summary(image, counted));
    Ok(Reply::json(StatusCode::OK, &Value::Array(rows.collect())))
}
