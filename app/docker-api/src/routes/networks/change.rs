//! What would change a network. There are only those that nobody made, so that each is refused; one that is not there is
//! said not to be there, as dockerd does.

use cove_proto::v1;

use crate::call::Call;
use crate::error::{Error, unsupported};
use crate::reply::Reply;

/// `DELETE /networks/{name}`.
pub(in crate::routes) async fn remove(call: Call) -> Result<Reply, Error> {
    let network = find(&call).await?;
    Err(Error::Forbidden(format!("{network} is a pre-defined network and cannot be removed")))
}

/// `POST /networks/{name}/connect`.
pub(in crate::routes) async fn connect(call: Call) -> Result<Reply, Error> {
    find(&call).await?;
    Err(unsupported("docker network connect"))
}

/// `POST /networks/{name}/disconnect`.
pub(in crate::routes) async fn disconnect(call: Call) -> Result<Reply, Error> {
    find(&call).await?;
    Err(unsupported("docker network disconnect"))
}

async fn find(call: &Call) -> Result<String, Error> {
    let request = v1::GetNetworkRequest { network: call.name() };
    Ok(call.networks().get_network(request).await?.into_inner().network.unwrap_or_default().name)
}
