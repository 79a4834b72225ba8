//! `cove explain`: who is who. For the machine, the way from a command on this computer to the kernel that runs
//! containers; for a container, what it shares with the machine and what walls it off.

mod container;
mod machine;

use crate::{engine::Engine, failure::Outcome, output::Format};

/// Arguments of `cove explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A container that runs; the machine when absent.
    container: Option<String>,
}

/// Explains.
pub(crate) async fn run(arguments: Arguments, format: Format) -> Outcome {
    let engine = Engine::reach().await?;
    match arguments.container {
        Some(container) => container::explain(&engine, &container, format).await,
        None => machine::explain(&engine, format).await,
    }
}
