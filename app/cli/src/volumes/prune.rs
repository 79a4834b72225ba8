//! `cove volume prune`.

use cove_proto::v1::{PruneVolumesRequest, PruneVolumesResponse};
use serde::Serialize;

use crate::{
    engine::Engine,
    failure::Outcome,
    output::{self, Format},
};

/// Arguments of `cove volume prune`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Those with a name as well.
    #[arg(short, long)]
    all: bool,
    /// Only those that match: label=NAME[=VALUE], label!=NAME[=VALUE].
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
}

#[derive(Serialize)]
struct Report {
    names: Vec<String>,
    freed_bytes: u64,
}

/// Removes them and says which.
pub(super) async fn run(arguments: &Arguments, format: Format) -> Outcome {
    let mut filters = super::filters(&arguments.filter);
    if arguments.all {
        filters.entry("all".to_owned()).or_default().values = vec!["true".to_owned()];
    }
    let pruned = Engine::reach().await?.volumes().prune_volumes(PruneVolumesRequest { filters }).await?.into_inner();
    let PruneVolumesResponse { names, freed_bytes } = pruned;
    match format {
        Format::Json => output::json(&Report { names, freed_bytes })?,
        Format::Text => {
            let lines: String = names.iter().map(|name| format!("{name}\n")).collect();
            output::text(&format!("{lines}freed: {}\n", output::bytes(freed_bytes)))?;
        }
    }
    Ok(0)
}
