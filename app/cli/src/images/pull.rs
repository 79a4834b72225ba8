//! `cove pull`: images from a registry.

use cove_proto::v1::{PullDone, PullImageRequest, pull_image_response::Event};
use serde::Serialize;

use super::transfer::Transfer;
use crate::{
    engine::Engine,
    failure::{Failure, Outcome},
    output::{self, Format},
};

/// Arguments of `cove pull`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The image: alpine, alpine:3.20, host:5000/name@sha256:...
    image: String,
    /// All tags of the repository.
    #[arg(short, long)]
    all_tags: bool,
    /// Platform, such as linux/arm64, if it is to be another than the machine's.
    #[arg(long, value_name = "PLATFORM", default_value = "", hide_default_value = true)]
    platform: String,
    /// Show no progress.
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Serialize)]
struct Pulled<'a> {
    reference: &'a str,
    digest: &'a str,
    id: &'a str,
    up_to_date: bool,
}

/// Pulls and names what is there now.
pub(crate) async fn run(arguments: Arguments, format: Format) -> Outcome {
    let engine = Engine::reach().await?;
    let Arguments { image, all_tags, platform, quiet } = arguments;
    let request = PullImageRequest { reference: image, all_tags, platform, credentials: None };
    let pulled = pull(&engine, request, quiet || format == Format::Json).await?;
    match format {
        Format::Json => output::json(&pulled.iter().map(as_json).collect::<Vec<_>>())?,
        Format::Text => output::text(&pulled.iter().map(text).collect::<String>())?,
    }
    Ok(0)
}

fn as_json(done: &PullDone) -> Pulled<'_> {
    Pulled { reference: &done.reference, digest: &done.digest, id: &done.id, up_to_date: done.up_to_date }
}

/// Pulls, with progress on standard error.
pub(crate) async fn pull(engine: &Engine, request: PullImageRequest, quiet: bool) -> Result<Vec<PullDone>, Failure> {
    let mut events = engine.registry().pull_image(request).await?.into_inner();
    let mut transfer = Transfer::new(quiet);
    let mut pulled = Vec::new();
    while let Some(event) = events.message().await? {
        match event.event {
            Some(Event::Begun(begun)) => transfer.say(&format!("{} of {}:", begun.tag, begun.path)),
            Some(Event::Layer(layer)) => transfer.layer(layer),
            Some(Event::Done(done)) => {
                if !done.warning.is_empty() {
                    output::aside(&format!("warning: {}", done.warning));
                }
                pulled.push(done);
            }
            None => {}
        }
    }
    Ok(pulled)
}

fn text(done: &PullDone) -> String {
    let news = if done.up_to_date { "is up to date" } else { "is here" };
    format!("{} {news}: {}\n", done.reference, done.digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_says_what_is_here() {
        let done = PullDone { reference: "a:1".into(), digest: "sha256:0".into(), ..PullDone::default() };
        assert_eq!(text(&done), "a:1 is here: sha256:0\n");
        assert_eq!(text(&PullDone { up_to_date: true, ..done }), "a:1 is up to date: sha256:0\n");
    }
}
