//! `cove save`: images as an archive, to a file or standard output.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

use cove_proto::v1::{SaveImagesRequest, SaveImagesResponse};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tonic::Streaming;

use crate::{
    engine::Engine,
    failure::{Failure, Outcome},
};

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
    if arguments.output.is_none() && std::io::stdout().is_terminal() {
        return Err(Failure::new("an archive is nothing to read").advice("name a file with -o, or pipe it on"));
    }
    let mut images = Engine::reach().await?.images();
    let pieces = images.save_images(SaveImagesRequest { images: arguments.images }).await?.into_inner();
    match arguments.output {
        Some(path) => to_file(&path, pieces).await?,
        None => copy(pieces, &mut tokio::io::stdout()).await?,
    }
    Ok(0)
}

/// Under another name until it is whole, so that a torn archive never bears the name that was asked for.
async fn to_file(path: &Path, pieces: Streaming<SaveImagesResponse>) -> Result<(), Failure> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let failed = |error| Failure::new(format!("write {}", path.display())).because(error);
    let mut file = tokio::fs::File::create(&partial).await.map_err(failed)?;
    let copied = copy(pieces, &mut file).await;
    if copied.is_err() {
        // What failed first is what is told.
        let _ = tokio::fs::remove_file(&partial).await;
        return copied;
    }
    tokio::fs::rename(&partial, path).await.map_err(failed)
}

async fn copy(mut pieces: Streaming<SaveImagesResponse>, to: &mut (impl AsyncWrite + Unpin)) -> Result<(), Failure> {
    while let Some(piece) = pieces.message().await? {
        to.write_all(&piece.data).await?;
    }
    Ok(to.flush().await?)
}
