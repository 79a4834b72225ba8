//! `cove export`: a container's own files as a tar, to a file or standard output.

use std::path::PathBuf;

use cove_proto::v1::ExportContainerRequest;
use futures::StreamExt as _;

use crate::{archive, engine::Engine, failure::Outcome};

/// Arguments of `cove export`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where to write; standard output when absent.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The container.
    container: String,
}

/// Exports it.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    archive::refuse_terminal(arguments.output.as_ref())?;
    let mut files = Engine::reach().await?.files();
    let request = ExportContainerRequest { container: arguments.container };
    let pieces = files.export_container(request).await?.into_inner();
    archive::write(pieces.map(|piece| Ok(piece?.data)), arguments.output.as_ref()).await?;
    Ok(0)
}
