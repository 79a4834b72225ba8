//! `cove volume inspect`: JSON, whatever the format.

use cove_proto::v1::{GetVolumeRequest, GetVolumeResponse};
use tonic::Response;

use super::Row;
use crate::{each::each_shown, engine::Engine, failure::Outcome, output};

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
    let mut found = Vec::new();
    let ask = async |name| client.get_volume(GetVolumeRequest { name }).await;
    let keep = |answer: Response<GetVolumeResponse>| {
        found.extend(answer.into_inner().volume);
        Ok(())
    };
    let exit_code = each_shown(arguments.volumes, ask, keep).await?;
    output::json(&found.iter().map(Row::from).collect::<Vec<_>>())?;
    Ok(exit_code)
}
