//! Files of a container to this computer, or as a tar to standard output.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use cove_proto::v1::{FileStat, ReadFilesRequest, ReadFilesResponse, StatFileRequest, read_files_response::Message};
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use super::{
    Arguments, InContainer,
    into::{FOLDER, KIND, LINK},
    landing::{Landing, There, Typed, landing},
    say,
    unpack::{Rename, unpack},
};
use crate::{archive, engine::Engine, failure::Failure};

/// Pieces that may wait to be unpacked.
const PIECES_AHEAD: usize = 8;

/// Copies.
pub(super) async fn copy(from: InContainer<'_>, destination: &str, arguments: &Arguments) -> Result<(), Failure> {
    if destination == "-" {
        archive::refuse_terminal(None)?;
    } else {
        check(destination)?;
    }
    let engine = Engine::reach().await?;
    let path = match arguments.follow_link {
        true => followed(&engine, from).await?,
        false => from.path.to_owned(),
    };
    let request = ReadFilesRequest { container: from.container.to_owned(), path: path.clone() };
    let mut tar = engine.files().read_files(request).await?.into_inner();
    let Some(Message::Stat(stat)) = tar.message().await?.and_then(|first| first.message) else {
        return Err(Failure::new("the engine did not say what the file is"));
    };
    if destination == "-" {
        let pieces = futures::StreamExt::map(tar, |piece| Ok::<_, Status>(data(piece?)));
        return archive::write(Box::pin(pieces), None).await;
    }
    let whereto = Whereto::of(from.path, &path, &stat, destination)?;
    let copied = to_files(tar, whereto).await?;
    let shown = std::path::absolute(destination).unwrap_or_else(|_| destination.into());
    say(arguments, copied, &shown.display().to_string());
    Ok(())
}

/// docker's `ValidateOutputPath`.
fn check(destination: &str) -> Result<(), Failure> {
    let parent = Typed::here(destination).parent;
    if !Path::new(&parent).exists() {
        let parent = parent.trim_end_matches(std::path::is_separator);
        return Err(Failure::new(format!("invalid output path: directory \"{parent}\" does not exist")));
    }
    match fs::metadata(destination) {
        Ok(there) if !there.is_dir() && !there.is_file() => {
            Err(Failure::new(format!("invalid output path: \"{destination}\" must be a directory or a regular file")))
        }
        _ => Ok(()),
    }
}

/// What a link leads to in the end.
async fn followed(engine: &Engine, from: InContainer<'_>) -> Result<String, Failure> {
    let request = StatFileRequest { container: from.container.to_owned(), path: from.path.to_owned() };
    let stat = engine.files().stat_file(request).await?.into_inner().stat.unwrap_or_default();
    let is_link = stat.mode & KIND == LINK;
    Ok(if is_link { stat.link_target } else { from.path.to_owned() })
}

/// Where it goes.
struct Whereto {
    folder: PathBuf,
    rename: Option<Rename>,
}

impl Whereto {
    /// `typed` is what was asked for, and `read` what is read instead where that was a link.
    fn of(typed: &str, read: &str, stat: &FileStat, destination: &str) -> Result<Self, Failure> {
        let to = Typed::here(destination);
        let there = match fs::metadata(destination) {
            Ok(there) if there.is_dir() => There::Folder,
            Ok(_) => There::File,
            Err(_) => There::Nothing,
        };
        let own = Typed::in_container(read);
        let from = (!own.is_content()).then_some(own.last);
        let name = |to: &str| Some(Rename { from: from.clone(), to: to.to_owned() });
        Ok(match landing(stat.mode & KIND == FOLDER, there, to.is_folder)? {
            // A link that was followed keeps its name.
            Landing::Inside if typed != read => {
                Self { folder: destination.into(), rename: name(&Typed::in_container(typed).last) }
            }
            Landing::Inside => Self { folder: destination.into(), rename: None },
            Landing::As => Self { folder: to.parent.into(), rename: name(&to.last) },
        })
    }
}

async fn to_files(mut tar: Streaming<ReadFilesResponse>, whereto: Whereto) -> Result<u64, Failure> {
    let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
    let unpacking = tokio::task::spawn_blocking(move || {
        let pieces = Pieces { pieces, piece: io::Cursor::default() };
        unpack(pieces, &whereto.folder, whereto.rename.as_ref())
    });
    let mut bytes = 0;
    let broke = loop {
        match tar.message().await {
            Ok(None) => break None,
            Ok(Some(piece)) => {
                let piece = data(piece);
                bytes += piece.len() as u64;
                if sender.send(Ok(piece)).await.is_err() {
                    // It knows what is wrong, or has come to the end of the archive.
                    break None;
                }
            }
            Err(status) => {
                // Without this the end would look like the tar's own.
                let _unpacking_has_failed = sender.send(Err(io::ErrorKind::UnexpectedEof.into())).await;
                break Some(status);
            }
        }
    };
    drop(sender);
    let unpacked = unpacking.await.map_err(io::Error::other).and_then(|unpacked| unpacked);
    match (broke, unpacked) {
        (Some(status), _) => Err(status.into()),
        (None, Err(error)) => Err(Failure::new(error.to_string())),
        (None, Ok(())) => Ok(bytes),
    }
}

fn data(piece: ReadFilesResponse) -> Vec<u8> {
    match piece.message {
        Some(Message::Data(data)) => data,
        _ => Vec::new(),
    }
}

/// Reads what comes.
struct Pieces {
    pieces: mpsc::Receiver<io::Result<Vec<u8>>>,
    piece: io::Cursor<Vec<u8>>,
}

impl io::Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.piece.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = io::Cursor::new(piece?),
                None => return Ok(0),
            }
        }
    }
}
