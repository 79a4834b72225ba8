//! `cove push`: images to a registry.

use cove_proto::v1::{PushDone, PushImageRequest, push_image_response::Event};
use serde::Serialize;

use super::transfer::Transfer;
use crate::{
    engine::Engine,
    failure::Outcome,
    output::{self, Format},
};

/// Arguments of `cove push`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The image; its name says to which registry: host:5000/name:tag.
    image: String,
    /// All tags of the repository that are here.
    #[arg(short, long)]
    all_tags: bool,
    /// Show no progress.
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Serialize)]
struct Pushed {
    tag: String,
    digest: String,
    size_bytes: u64,
}

/// Pushes and names what the registry has now.
pub(crate) async fn run(arguments: Arguments, format: Format) -> Outcome {
    let Arguments { image, all_tags, quiet } = arguments;
    let request = PushImageRequest { reference: image, all_tags, credentials: None };
    let mut events = Engine::reach().await?.registry().push_image(request).await?.into_inner();
    let mut transfer = Transfer::new(quiet || format == Format::Json);
    let mut pushed = Vec::new();
    while let Some(event) = events.message().await? {
        match event.event {
            Some(Event::Begun(begun)) => transfer.say(&format!("to {}:", begun.repository)),
            Some(Event::Layer(layer)) => transfer.layer(layer),
            Some(Event::Done(PushDone { tag, digest, size_bytes })) => pushed.push(Pushed { tag, digest, size_bytes }),
            None => {}
        }
    }
    match format {
        Format::Json => output::json(&pushed)?,
        Format::Text => {
            let line = |pushed: &Pushed| format!("{} has gone: {}\n", pushed.tag, pushed.digest);
            output::text(&pushed.iter().map(line).collect::<String>())?;
        }
    }
    Ok(0)
}
