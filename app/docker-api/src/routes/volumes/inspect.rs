//! `GET /volumes/{name}`.

use cove_proto::v1;
use http::StatusCode;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::shapes::volume;

/// Says all about a volume.
pub(in crate::routes) async fn inspect(call: Call) -> Result<Reply, Error> {
    let request = v1::GetVolumeRequest { name: call.name() };
    let found = call.volumes().get_volume(request).await?.into_inner().volume.unwrap_or_default();
    Ok(Reply::json(StatusCode::OK, &volume::shape(&found)))
}
