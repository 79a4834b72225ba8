//! `cove rmi`: takes references away, and images with their last one.

use cove_proto::v1::{RemoveImageRequest, removed_image::What};

use crate::{
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
    let mut exit_code = 0;
    for image in arguments.images {
        match images.remove_image(RemoveImageRequest { image, force: arguments.force }).await {
            Ok(removed) => {
                for step in removed.into_inner().removed {
                    match step.what {
                        Some(What::Untagged(reference)) => output::text(&format!("Untagged: {reference}\n"))?,
                        Some(What::Deleted(id)) => output::text(&format!("Deleted: {id}\n"))?,
                        None => {}
                    }
                }
            }
            Err(status) => {
                output::aside(&format!("cove: {}", Failure::from(status)));
                exit_code = 1;
            }
        }
    }
    Ok(exit_code)
}
