//! `DELETE /volumes/{name}`.

use cove_proto::v1;
use http::StatusCode;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;

/// Removes a volume.
pub(in crate::routes) async fn remove(call: Call) -> Result<Reply, Error> {
    let request = v1::RemoveVolumeRequest { name: call.name(), force: call.query.flag("force") };
    call.volumes().remove_volume(request).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
