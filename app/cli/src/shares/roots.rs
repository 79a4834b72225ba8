//! `cove share roots`.

use cove_proto::v1::{ListSharesRequest, UpdateShareRootsRequest};

use crate::{
    engine::Engine,
    failure::Outcome,
    output::{self, Format},
};

/// Arguments of `cove share roots`. Without any, the folders are shown.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The folders, instead of those that hold now.
    #[arg(conflicts_with = "reset")]
    folders: Vec<std::path::PathBuf>,
    /// Back to the defaults: your own folder and those for temporary files.
    #[arg(long)]
    reset: bool,
}

/// Shows or says them.
pub(super) async fn run(arguments: Arguments, format: Format) -> Outcome {
    let mut client = Engine::reach().await?.shares();
    let roots = if arguments.reset || !arguments.folders.is_empty() {
        let folders = arguments.folders.iter().map(std::path::absolute);
        let roots: Result<Vec<String>, _> =
            folders.map(|folder| folder.map(|folder| folder.display().to_string())).collect();
        let roots = roots.map_err(|error| crate::failure::Failure::new("find the folders").because(error))?;
        client.update_share_roots(UpdateShareRootsRequest { roots }).await?.into_inner().roots
    } else {
        client.list_shares(ListSharesRequest {}).await?.into_inner().roots
    };
    match format {
        Format::Json => output::json(&roots)?,
        Format::Text => output::text(&roots.iter().map(|root| format!("{root}\n")).collect::<String>())?,
    }
    Ok(0)
}
