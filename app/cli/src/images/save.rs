//! `cove save`: images as an archive, to a file or standard output.

use std::path::PathBuf;

use cove_proto::v1::SaveImagesRequest;
use futures::StreamExt as _;

use crate::{archive, engine::Engine, failure::Outcome};

/// Arguments of `cove save`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where to write; standard output when absent.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The images.
    #[arg(required = true)]
    images: Vec<String>,
}

/// Saves them.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    archive::refuse_terminal(arguments.output.as_ref())?;
    let mut images = Engine::reach().await?.images();
    let pieces = images.save_images(SaveImagesRequest { images: arguments.images }).await?.into_inner();
    archive::write(pieces.map(|piece| Ok(piece?.data)), arguments.output.as_ref()).await?;
    Ok(0)
}
