//! `cove network prune`.

use cove_proto::v1::PruneNetworksRequest;

use crate::{
    engine::Engine,
    failure::Outcome,
    output::{self, Format},
    volumes::filters,
};

/// Arguments of `cove network prune`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only those that match: label=NAME[=VALUE], label!=NAME[=VALUE], until=TIME.
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
}

/// Removes them and says which.
pub(super) async fn run(arguments: &Arguments, format: Format) -> Outcome {
    let request = PruneNetworksRequest { filters: filters(&arguments.filter) };
    let names = Engine::reach().await?.networks().prune_networks(request).await?.into_inner().names;
    match format {
        Format::Json => output::json(&names)?,
        Format::Text => output::text(&names.iter().map(|name| format!("{name}\n")).collect::<String>())?,
    }
    Ok(0)
}
