//! `cove machine-log`: the console of the machine.

use cove_proto::v1::GetConsoleRequest;
use tokio::io::AsyncWriteExt as _;

use crate::{engine::Engine, failure::Outcome};

/// Arguments of `cove machine-log`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Go on with what is written from now on.
    #[arg(short, long)]
    follow: bool,
    /// Only so many lines from the end.
    #[arg(short = 'n', long, value_name = "LINES", default_value = "0", hide_default_value = true)]
    tail: u32,
}

/// Prints the console.
pub(crate) async fn run(arguments: &Arguments) -> Outcome {
    let request = GetConsoleRequest { tail_lines: arguments.tail, follow: arguments.follow };
    let mut pieces = Engine::reach().await?.machine().get_console(request).await?.into_inner();
    let mut out = tokio::io::stdout();
    while let Some(piece) = pieces.message().await? {
        out.write_all(&piece.data).await?;
        out.flush().await?;
    }
    Ok(0)
}
