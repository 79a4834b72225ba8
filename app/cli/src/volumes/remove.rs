//! `cove volume rm`.

use cove_proto::v1::RemoveVolumeRequest;

use crate::{
    engine::Engine,
    failure::{Failure, Outcome},
    output,
};

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
    let mut exit_code = 0;
    for name in arguments.volumes {
        match client.remove_volume(RemoveVolumeRequest { name: name.clone(), force: arguments.force }).await {
            Ok(_) => output::text(&format!("{name}\n"))?,
            Err(status) => {
                output::aside(&format!("cove: {}", Failure::from(status)));
                exit_code = 1;
            }
        }
    }
    Ok(exit_code)
}
