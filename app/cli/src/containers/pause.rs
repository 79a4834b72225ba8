//! `cove pause` and `cove unpause`: freezes containers, and lets them go on.

use cove_proto::v1::{PauseContainerRequest, UnpauseContainerRequest};

use crate::{each::each, engine::Engine, failure::Outcome};

/// Arguments of `cove pause` and `cove unpause`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The containers.
    #[arg(required = true)]
    containers: Vec<String>,
}

/// Freezes them.
pub(crate) async fn pause(arguments: Arguments) -> Outcome {
    let mut client = Engine::reach().await?.containers();
    each(arguments.containers, async |container| {
        client.pause_container(PauseContainerRequest { container }).await.map(drop)
    })
    .await
}

/// Lets them go on.
pub(crate) async fn unpause(arguments: Arguments) -> Outcome {
    let mut client = Engine::reach().await?.containers();
    each(arguments.containers, async |container| {
        client.unpause_container(UnpauseContainerRequest { container }).await.map(drop)
    })
    .await
}
