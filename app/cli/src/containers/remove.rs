//! `cove rm`: removes containers.

use cove_proto::v1::RemoveContainerRequest;

use crate::{
    engine::Engine,
    failure::{Failure, Outcome},
    output,
};

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
    let mut exit_code = 0;
    for container in arguments.containers {
        let (force, volumes) = (arguments.force, arguments.volumes);
        let request = RemoveContainerRequest { container: container.clone(), force, volumes };
        match client.remove_container(request).await {
            Ok(_) => output::text(&format!("{container}\n"))?,
            Err(status) => {
                output::aside(&format!("cove: {}", Failure::from(status)));
                exit_code = 1;
            }
        }
    }
    Ok(exit_code)
}
