//! `POST /volumes/prune`.

use cove_proto::v1::{self, StringList};
use http::StatusCode;
use serde_json::json;

use crate::call::Call;
use crate::error::Error;
use crate::reply::Reply;
use crate::version::ApiVersion;

/// Before, a prune took volumes with a name as well.
const NAMELESS_ONLY: ApiVersion = ApiVersion::new(1, 42);

/// Removes the volumes that no container uses.
pub(in crate::routes) async fn prune(call: Call) -> Result<Reply, Error> {
    let mut filters = call.query.filters()?;
    if call.version < NAMELESS_ONLY {
        filters.entry("all".to_owned()).or_insert_with(|| StringList { values: vec!["true".to_owned()] });
    }
    let pruned = call.volumes().prune_volumes(v1::PruneVolumesRequest { filters }).await?.into_inner();
    let report = json!({"VolumesDeleted": pruned.names, "SpaceReclaimed": pruned.freed_bytes});
    Ok(Reply::json(StatusCode::OK, &report))
}
