//! `cove volume rm`.

use cove_proto::v1::RemoveVolumeRequest;

use crate::{each::each, engine::Engine, failure::Outcome};

/// Arguments of `cove volume rm`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The volumes.
    #[arg(required = true)]
    volumes: Vec<String>,
    /// One that is not there is no error.
    #[arg(short, long)]
    force: bool,
}

/// Removes them; goes on past one that cannot be removed.
pub(super) async fn run(arguments: Arguments) -> Outcome {
    let mut client = Engine::reach().await?.volumes();
    let force = arguments.force;
    each(arguments.volumes, async |name| client.remove_volume(RemoveVolumeRequest { name, force }).await.map(drop))
        .await
}
