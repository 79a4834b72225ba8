//! `cove import`: an image of one layer, from the tar of a file system.

use std::path::{Path, PathBuf};

use cove_proto::v1::{ImportImageRequest, ImportOpen, import_image_request::Message};

use crate::{archive::Source, engine::Engine, failure::Outcome, output};

/// Arguments of `cove import`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A Dockerfile instruction that changes the image, such as "CMD sh"; more in their order.
    #[arg(short, long, value_name = "INSTRUCTION")]
    change: Vec<String>,
    /// Comment in its history.
    #[arg(short, long, default_value = "")]
    message: String,
    /// For which platform it is, such as linux/arm64; the machine's when absent.
    #[arg(long, default_value = "")]
    platform: String,
    /// The tar, plain, gzip or zstd; "-" is standard input.
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// Name of the image.
    #[arg(default_value = "")]
    image: String,
}

/// Makes it, and says its id.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let Arguments { change: changes, message, platform, file, image: reference } = arguments;
    let file = (file != Path::new("-")).then_some(file.as_path());
    let source = Source::open(file, "name a file, or pipe one in").await?;
    let mut images = Engine::reach().await?.images();
    let open = ImportOpen { reference, message, changes, platform };
    let open = ImportImageRequest { message: Some(Message::Open(open)) };
    let data = |data| ImportImageRequest { message: Some(Message::Data(data)) };
    let (messages, reading) = source.messages(Some(open), data);
    let id = images.import_image(messages).await?.into_inner().id;
    reading.end().await?;
    output::text(&format!("{id}\n"))?;
    Ok(0)
}
