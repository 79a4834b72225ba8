//! Images.

use std::path::{Path, PathBuf};

use cove_client::Engine;
use cove_proto::v1::{ListImagesRequest, LoadImagesRequest, RemoveImageRequest};
use tauri::State;
use tokio::{
    fs::File,
    io::{self, AsyncReadExt},
    sync::mpsc,
};
use tokio_stream::wrappers::ReceiverStream;

use super::{Answer, failed, no_wake, unless_asleep};
use crate::{
    link::Link,
    wire::{failure::Failure, images::Image},
};

/// Bytes of the archive in one message.
const PIECE_BYTES: usize = 256 * 1024;

/// Pieces on their way: reading goes on while the engine works, and does not run ahead of it.
const PIECES_AHEAD: usize = 8;

/// All images, the newest first; none while the machine does not run.
#[tauri::command]
pub(crate) async fn images_list(link: State<'_, Link>) -> Answer<Vec<Image>> {
    let answer = link.engine().await?.images().list_images(no_wake(ListImagesRequest::default())).await;
    let answer = unless_asleep(answer).map_err(failed("the images cannot be listed"))?;
    let images = answer.map(|list| list.into_inner().images).unwrap_or_default();
    Ok(images.into_iter().map(Image::from).collect())
}

/// Loads the images of an archive and says their references; nothing if no file was chosen.
#[tauri::command]
pub(crate) async fn images_load(link: State<'_, Link>, path: Option<PathBuf>) -> Answer<Option<Vec<String>>> {
    let path = match path {
        Some(path) => path,
        None => match choose().await {
            Some(path) => path,
            None => return Ok(None),
        },
    };
    load(&link.engine().await?, &path).await.map(Some)
}

/// Takes the image away.
#[tauri::command]
pub(crate) async fn image_remove(link: State<'_, Link>, id: String, force: bool) -> Answer<()> {
    let answer = link
        .engine()
        .await?
        .images()
        .remove_image(no_wake(RemoveImageRequest { image: id, force, keep_parents: false }))
        .await;
    answer.map(drop).map_err(failed("the image was not removed"))
}

async fn choose() -> Option<PathBuf> {
    let dialog = rfd::AsyncFileDialog::new().add_filter("tar", &["tar", "gz", "tgz", "zst"]).add_filter("*", &["*"]);
    Some(dialog.pick_file().await?.path().to_owned())
}

async fn load(engine: &Engine, path: &Path) -> Answer<Vec<String>> {
    let unreadable = |error: io::Error| Failure::new(format!("{} cannot be read", path.display())).because(&error);
    let file = File::open(path).await.map_err(unreadable)?;
    let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
    let reading = tokio::spawn(read(file, sender));
    let answer = engine.images().load_images(ReceiverStream::new(pieces)).await;
    let mut loaded = answer.map_err(failed("the images were not loaded"))?.into_inner();
    let mut references = Vec::new();
    while let Some(image) = loaded.message().await.map_err(failed("the images were not all loaded"))? {
        references.push(image.reference);
    }
    reading.await.map_err(io::Error::other).and_then(|read| read).map_err(unreadable)?;
    Ok(references)
}

async fn read(mut file: File, pieces: mpsc::Sender<LoadImagesRequest>) -> io::Result<()> {
    loop {
        let mut data = Vec::with_capacity(PIECE_BYTES);
        while data.len() < PIECE_BYTES && file.read_buf(&mut data).await? > 0 {}
        let end = data.is_empty();
        // The engine hangs up when it has what it needs or knows what is wrong; it says so itself.
        if end || pieces.send(LoadImagesRequest { data }).await.is_err() {
            return Ok(());
        }
    }
}
