//! `cove commit`: an image of what a container has made of its own.

use cove_proto::v1::CommitContainerRequest;

use crate::{engine::Engine, failure::Outcome, output};

/// Arguments of `cove commit`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Who made it.
    #[arg(short, long, default_value = "")]
    author: String,
    /// Comment in its history.
    #[arg(short, long, default_value = "")]
    message: String,
    /// A Dockerfile instruction that changes the image, such as "CMD sh"; more in their order.
    #[arg(short, long, value_name = "INSTRUCTION")]
    change: Vec<String>,
    /// Let a container that runs go on meanwhile; what it writes then may be there by half.
    #[arg(long)]
    no_pause: bool,
    /// The container.
    container: String,
    /// Name of the image.
    #[arg(default_value = "")]
    image: String,
}

/// Makes it, and says its id.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let Arguments { author, message, change: changes, no_pause, container, image: reference } = arguments;
    let mut files = Engine::reach().await?.files();
    let pause = !no_pause;
    let request =
        CommitContainerRequest { container, reference, author, message, changes, pause, config_json: Vec::new() };
    let id = files.commit_container(request).await?.into_inner().id;
    output::text(&format!("{id}\n"))?;
    Ok(0)
}
