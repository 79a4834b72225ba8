//! `cove rmi`: takes references away, and images with their last one.

use cove_proto::v1::{RemoveImageRequest, RemovedImage, removed_image::What};

use crate::{
    each::each_shown,
    engine::Engine,
    failure::{Failure, Outcome},
    output,
};

/// Arguments of `cove rmi`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The images.
    #[arg(required = true)]
    images: Vec<String>,
    /// Even if an image has several references or stopped containers use it.
    #[arg(short, long)]
    force: bool,
}

/// Removes them; goes on past one that cannot be removed.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let mut images = Engine::reach().await?.images();
    let force = arguments.force;
    let remove = async |image| images.remove_image(RemoveImageRequest { image, force, keep_parents: false }).await;
    each_shown(arguments.images, remove, |removed| removed.into_inner().removed.into_iter().try_for_each(show)).await
}

fn show(step: RemovedImage) -> Result<(), Failure> {
    match step.what {
        Some(What::Untagged(reference)) => output::text(&format!("Untagged: {reference}\n"))?,
        Some(What::Deleted(id)) => output::text(&format!("Deleted: {id}\n"))?,
        None => {}
    }
    Ok(())
}
