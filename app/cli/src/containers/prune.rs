//! `cove prune`: removes all containers that do not run.

use std::io::{self, IsTerminal as _, Write as _};

use cove_proto::v1::PruneContainersRequest;

use super::list::filters;
use crate::{
    engine::Engine,
    failure::{Failure, Outcome},
    output::{self, Format},
};

/// Arguments of `cove prune`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Do not ask.
    #[arg(short, long)]
    force: bool,
    /// Only those that match: until=24h, label=team=a, label!=keep.
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
}

/// Removes them, if the user wants that.
pub(crate) async fn run(arguments: Arguments, format: Format) -> Outcome {
    let filters = filters(&arguments.filter)?;
    if !arguments.force && !agreed()? {
        return Ok(1);
    }
    let pruned = Engine::reach().await?.containers().prune_containers(PruneContainersRequest { filters }).await?;
    let pruned = pruned.into_inner();
    match format {
        Format::Json => {
            let document = serde_json::json!({ "ids": pruned.ids, "freed_bytes": pruned.freed_bytes });
            output::json(&document)?;
        }
        Format::Text => {
            let ids: String = pruned.ids.iter().map(|id| format!("{id}\n")).collect();
            output::text(&format!("{ids}{} freed\n", output::bytes(pruned.freed_bytes)))?;
        }
    }
    Ok(0)
}

fn agreed() -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::new("nobody is there to ask").advice("to remove without being asked: cove prune --force"));
    }
    let mut screen = io::stderr();
    screen.write_all(b"Remove all containers that do not run? [y/N] ")?;
    screen.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|error| Failure::new("read the answer").because(error))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
