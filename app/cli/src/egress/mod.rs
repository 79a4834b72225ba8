//! `cove net`: what containers are connected to, why they are not, and what the user allows.

mod flows;
mod settings;

use crate::{failure::Outcome, output::Format};

/// Arguments of `cove net`. Without a command, the flows are shown.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flows: flows::Arguments,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show what containers may reach and by which proxy; with options, change it.
    Settings(settings::Arguments),
}

/// Does it.
pub(crate) async fn run(arguments: Arguments, format: Format) -> Outcome {
    match arguments.command {
        Some(Command::Settings(settings)) => settings::run(&settings, format).await,
        None => flows::run(&arguments.flows, format).await,
    }
}
