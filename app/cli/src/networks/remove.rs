//! `cove network rm`.

use cove_proto::v1::RemoveNetworkRequest;

use crate::{each::each, engine::Engine, failure::Outcome};

/// Arguments of `cove network rm`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The networks.
    #[arg(required = true)]
    networks: Vec<String>,
}

/// Removes them; goes on past one that cannot be removed.
pub(super) async fn run(arguments: Arguments) -> Outcome {
    let mut client = Engine::reach().await?.networks();
    each(arguments.networks, async |network| client.remove_network(RemoveNetworkRequest { network }).await.map(drop))
        .await
}
