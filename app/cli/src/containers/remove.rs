//! `cove rm`: removes containers.

use cove_proto::v1::RemoveContainerRequest;

use crate::{each::each, engine::Engine, failure::Outcome};

/// Arguments of `cove rm`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Kill those that run first.
    #[arg(short, long)]
    force: bool,
    /// Their anonymous volumes as well.
    #[arg(short, long)]
    volumes: bool,
    /// The containers.
    #[arg(required = true)]
    containers: Vec<String>,
}

/// Removes them; goes on past one that cannot be removed.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let mut client = Engine::reach().await?.containers();
    let (force, volumes) = (arguments.force, arguments.volumes);
    each(arguments.containers, async |container| {
        client.remove_container(RemoveContainerRequest { container, force, volumes, link: false }).await.map(drop)
    })
    .await
}
