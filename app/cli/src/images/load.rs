//! `cove load`: images from an archive, a file or standard input.

use std::{io::IsTerminal as _, path::PathBuf};

use cove_proto::v1::LoadImagesRequest;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    engine::Engine,
    failure::{Failure, Outcome},
    output,
};

/// Bytes of the archive in one message.
const PIECE_BYTES: usize = 256 * 1024;

/// Pieces on their way: reading goes on while the engine works, and does not run ahead of it.
const PIECES_AHEAD: usize = 8;

/// Arguments of `cove load`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The archive; standard input when absent.
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
}

/// Loads and names each image.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let (source, name): (Box<dyn AsyncRead + Send + Unpin>, String) = match arguments.input {
        Some(path) => {
            let file = tokio::fs::File::open(&path).await;
            let file = file.map_err(|error| Failure::new(format!("open {}", path.display())).because(error))?;
            (Box::new(file), path.display().to_string())
        }
        None if std::io::stdin().is_terminal() => {
            return Err(Failure::new("no archive to load").advice("name it with -i, or pipe it in"));
        }
        None => (Box::new(tokio::io::stdin()), "standard input".to_owned()),
    };
    let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
    let reading = tokio::spawn(read(source, sender));
    let mut images = Engine::reach().await?.images();
    let mut loaded = images.load_images(ReceiverStream::new(pieces)).await?.into_inner();
    while let Some(image) = loaded.message().await? {
        let what = if image.untagged { "Loaded image ID" } else { "Loaded image" };
        output::text(&format!("{what}: {}\n", image.reference))?;
    }
    let read = reading.await.map_err(std::io::Error::other).and_then(|read| read);
    read.map_err(|error| Failure::new(format!("read {name}")).because(error))?;
    Ok(0)
}

async fn read(mut source: impl AsyncRead + Unpin, pieces: mpsc::Sender<LoadImagesRequest>) -> std::io::Result<()> {
    loop {
        let mut data = Vec::with_capacity(PIECE_BYTES);
        while data.len() < PIECE_BYTES && source.read_buf(&mut data).await? > 0 {}
        let end = data.is_empty();
        // The engine hangs up when it has what it needs or knows what is wrong; it says so itself.
        if end || pieces.send(LoadImagesRequest { data }).await.is_err() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_archive_is_cut_into_pieces_and_nothing_is_lost() {
        let archive: Vec<u8> = (0..PIECE_BYTES * 2 + 5).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let (sender, mut pieces) = mpsc::channel(10);
        read(archive.as_slice(), sender).await.unwrap();
        let mut whole = Vec::new();
        while let Some(piece) = pieces.recv().await {
            whole.extend(piece.data);
        }
        assert!(whole == archive);
    }
}
