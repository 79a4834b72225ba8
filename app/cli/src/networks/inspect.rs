//! `cove network inspect`: JSON, whatever the format.

use cove_proto::v1::{GetNetworkRequest, GetNetworkResponse};
use tonic::Response;

use super::Row;
use crate::{each::each_shown, engine::Engine, failure::Outcome, output};

/// Arguments of `cove network inspect`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The networks.
    #[arg(required = true)]
    networks: Vec<String>,
}

/// Prints what is known of them; goes on past one that is not there.
pub(super) async fn run(arguments: Arguments) -> Outcome {
    let mut client = Engine::reach().await?.networks();
    let mut found = Vec::new();
    let ask = async |network| client.get_network(GetNetworkRequest { network }).await;
    let keep = |answer: Response<GetNetworkResponse>| {
        found.extend(answer.into_inner().network);
        Ok(())
    };
    let exit_code = each_shown(arguments.networks, ask, keep).await?;
    output::json(&found.iter().map(Row::from).collect::<Vec<_>>())?;
    Ok(exit_code)
}
