//! `cove load`: images from an archive, a file or standard input.

use std::path::PathBuf;

use cove_proto::v1::LoadImagesRequest;

use crate::{archive::Source, engine::Engine, failure::Outcome, output};

/// Arguments of `cove load`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The archive; standard input when absent.
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
}

/// Loads and names each image.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let source = Source::open(arguments.input.as_deref(), "name it with -i, or pipe it in").await?;
    let mut images = Engine::reach().await?.images();
    let (messages, reading) = source.messages(None, |data| LoadImagesRequest { data });
    let mut loaded = images.load_images(messages).await?.into_inner();
    while let Some(image) = loaded.message().await? {
        let what = if image.untagged { "Loaded image ID" } else { "Loaded image" };
        output::text(&format!("{what}: {}\n", image.reference))?;
    }
    reading.end().await?;
    Ok(0)
}
