//! `cove volume inspect`: JSON, whatever the format.

use cove_proto::v1::GetVolumeRequest;

use super::Row;
use crate::{
    engine::Engine,
    failure::{Failure, Outcome},
    output,
};

/// Arguments of `cove volume inspect`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The volumes.
    #[arg(required = true)]
    volumes: Vec<String>,
}

/// Prints what is known of them; goes on past one that is not there.
pub(super) async fn run(arguments: Arguments) -> Outcome {
    let mut client = Engine::reach().await?.volumes();
    let (mut found, mut exit_code) = (Vec::new(), 0);
    for name in arguments.volumes {
        match client.get_volume(GetVolumeRequest { name }).await {
            Ok(answer) => found.extend(answer.into_inner().volume),
            Err(status) => {
                output::aside(&format!("cove: {}", Failure::from(status)));
                exit_code = 1;
            }
        }
    }
    output::json(&found.iter().map(Row::from).collect::<Vec<_>>())?;
    Ok(exit_code)
}
