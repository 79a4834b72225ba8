//! Files of this computer, or a tar from standard input, into a container.

use std::{
    io,
    path::{Path, PathBuf},
};

use cove_proto::v1::{FileStat, StatFileRequest, WriteFilesOpen, WriteFilesRequest, write_files_request::Message};
use futures::{Stream, StreamExt as _};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{
    Arguments, InContainer,
    landing::{Landing, There, Typed, landing},
    pack::{Pieces, pack},
    say,
};
use crate::{archive, engine::Engine, failure::Failure};

/// Pieces on their way: packing goes on while the engine works, and does not run ahead of it.
const PIECES_AHEAD: usize = 64;

/// The kind of file in st_mode, and two kinds.
pub(super) const KIND: u32 = 0o170_000;
pub(super) const FOLDER: u32 = 0o040_000;
pub(super) const LINK: u32 = 0o120_000;
const REGULAR: u32 = 0o100_000;

/// Copies.
pub(super) async fn copy(source: &str, to: InContainer<'_>, arguments: &Arguments) -> Result<(), Failure> {
    let engine = Engine::reach().await?;
    let (path, there) = destination(&engine, to).await?;
    let open = |path: String| WriteFilesOpen {
        container: to.container.to_owned(),
        path,
        keep_kinds: true,
        owned_by_user: arguments.archive,
    };
    let copied = if source == "-" {
        if there != There::Folder {
            let whereto = format!("{}:{}", to.container, to.path);
            return Err(Failure::new(format!("destination \"{whereto}\" must be a directory")));
        }
        from_stdin(&engine, open(path.clone())).await?
    } else {
        let source = Local::of(source, arguments.follow_link)?;
        let typed = Typed::in_container(&path);
        let (folder, name) = match landing(source.is_folder, there, typed.is_folder)? {
            Landing::Inside => (path.clone(), source.name.clone()),
            Landing::As => (typed.parent, typed.last),
        };
        from_files(&engine, open(folder), source.path, name).await?
    };
    say(arguments, copied, &format!("{}:{path}", to.container));
    Ok(())
}

/// What is at the place, which is another one where that is a link.
async fn destination(engine: &Engine, to: InContainer<'_>) -> Result<(String, There), Failure> {
    let mut path = to.path.to_owned();
    let mut found = stat(engine, to.container, &path).await;
    if let Some(link) = found.as_ref().filter(|found| found.mode & KIND == LINK) {
        path.clone_from(&link.link_target);
        found = stat(engine, to.container, &path).await;
    }
    let there = match found.map(|found| found.mode & KIND) {
        None => There::Nothing,
        Some(FOLDER) => There::Folder,
        Some(REGULAR) => There::File,
        Some(_) => {
            let whereto = format!("{}:{}", to.container, to.path);
            return Err(Failure::new(format!("destination \"{whereto}\" must be a directory or a regular file")));
        }
    };
    Ok((path, there))
}

/// What is there. As with docker, what is not there or cannot be seen is told by who is to write there.
async fn stat(engine: &Engine, container: &str, path: &str) -> Option<FileStat> {
    let request = StatFileRequest { container: container.to_owned(), path: path.to_owned() };
    engine.files().stat_file(request).await.ok()?.into_inner().stat
}

/// What is to be copied.
struct Local {
    path: PathBuf,
    /// "." where it is the content of a folder.
    name: String,
    is_folder: bool,
}

impl Local {
    fn of(typed: &str, follow: bool) -> Result<Self, Failure> {
        let failed = |error: io::Error| match error.kind() {
            // Go's words, which leave the number out.
            io::ErrorKind::NotFound => Failure::new(format!("lstat {typed}: no such file or directory")),
            io::ErrorKind::NotADirectory => Failure::new(format!("lstat {typed}: not a directory")),
            _ => Failure::new(format!("lstat {typed}")).because(error),
        };
        let parts = Typed::here(typed);
        let path = if follow || parts.is_folder {
            std::fs::canonicalize(typed).map_err(failed)?
        } else {
            std::path::absolute(typed).map_err(failed)?
        };
        let is_folder = std::fs::symlink_metadata(&path).map_err(failed)?.is_dir();
        if parts.is_folder && !is_folder {
            return Err(failed(io::ErrorKind::NotADirectory.into()));
        }
        let own = || path.file_name().map_or_else(|| ".".to_owned(), |name| name.to_string_lossy().into_owned());
        let name = if parts.last == ".." { own() } else { parts.last };
        Ok(Self { path, name, is_folder })
    }
}

async fn from_stdin(engine: &Engine, open: WriteFilesOpen) -> Result<u64, Failure> {
    let source = archive::Source::open(None, "pipe a tar in, for example of tar -c").await?;
    let first = WriteFilesRequest { message: Some(Message::Open(open)) };
    let (requests, reading) =
        source.messages(Some(first), |data| WriteFilesRequest { message: Some(Message::Data(data)) });
    engine.files().write_files(requests).await?;
    reading.end().await?;
    Ok(0)
}

async fn from_files(engine: &Engine, open: WriteFilesOpen, path: PathBuf, name: String) -> Result<u64, Failure> {
    let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
    let packing = tokio::task::spawn_blocking(move || {
        let mut counted = Counted { to: io::BufWriter::with_capacity(64 << 10, Pieces(sender)), bytes: 0 };
        pack(&path, Path::new(&name), &mut counted).map(|()| counted.bytes)
    });
    let written = engine.files().write_files(messages(open, pieces)).await;
    let packed = packing.await.map_err(io::Error::other).and_then(|packed| packed);
    match (written, packed) {
        // A tar that ends too soon is the engine's failure, too; why it does is known here.
        (_, Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(error.to_string())),
        (Err(status), _) => Err(status.into()),
        (Ok(_), packed) => packed.map_err(Failure::from),
    }
}

fn messages(
    open: WriteFilesOpen,
    pieces: mpsc::Receiver<Vec<u8>>,
) -> impl Stream<Item = WriteFilesRequest> + Send + 'static {
    let first = futures::stream::iter([Message::Open(open)]);
    first
        .chain(ReceiverStream::new(pieces).map(Message::Data))
        .map(|message| WriteFilesRequest { message: Some(message) })
}

struct Counted<W> {
    to: W,
    bytes: u64,
}

impl<W: io::Write> io::Write for Counted<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let count = self.to.write(data)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_says_what_is_copied_and_under_which_name() {
        let folder = tempfile::tempdir().unwrap();
        let here = |rest: &str| format!("{}/{rest}", folder.path().display());
        std::fs::create_dir(here("d")).unwrap();
        std::fs::write(here("f"), "").unwrap();
        let seen = |rest: &str| Local::of(&here(rest), false).map(|local| (local.name, local.is_folder));
        assert_eq!(seen("f").unwrap(), ("f".to_owned(), false));
        assert_eq!(seen("d").unwrap(), ("d".to_owned(), true));
        assert_eq!(seen("d/").unwrap(), ("d".to_owned(), true));
        assert_eq!(seen("d/.").unwrap(), (".".to_owned(), true));
        assert!(seen("f/").is_err());
        let absent = seen("absent").unwrap_err().to_string();
        assert!(absent.starts_with("lstat ") && absent.ends_with("/absent: no such file or directory"), "{absent}");
    }
}
