//! Archives that go to the engine and come from it: files, or what is piped in and on. They go in pieces, so that none is
//! ever whole in memory.

use std::{
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
};

use futures::{Stream, StreamExt as _};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::failure::Failure;

/// Bytes of an archive in one message.
const PIECE_BYTES: usize = 256 * 1024;

/// Pieces on their way: reading goes on while the engine works, and does not run ahead of it.
const PIECES_AHEAD: usize = 8;

/// Where an archive comes from.
pub(crate) struct Source {
    reader: Box<dyn AsyncRead + Send + Unpin>,
    name: String,
}

/// An archive that is being read.
pub(crate) struct Reading {
    task: JoinHandle<io::Result<()>>,
    name: String,
}

impl Source {
    /// A file, or standard input; `advice` is for who has a terminal there.
    pub(crate) async fn open(path: Option<&Path>, advice: &str) -> Result<Self, Failure> {
        match path {
            Some(path) => {
                let file = tokio::fs::File::open(path).await;
                let file = file.map_err(|error| Failure::new(format!("open {}", path.display())).because(error))?;
                Ok(Self { reader: Box::new(file), name: path.display().to_string() })
            }
            None if io::stdin().is_terminal() => Err(Failure::new("there is no archive").advice(advice)),
            None => Ok(Self { reader: Box::new(tokio::io::stdin()), name: "standard input".to_owned() }),
        }
    }

    /// Messages to the engine: the first, if there is one, and each piece as `message` makes it.
    pub(crate) fn messages<M: Send + 'static>(
        self,
        first: Option<M>,
        message: fn(Vec<u8>) -> M,
    ) -> (impl Stream<Item = M> + Send + 'static, Reading) {
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        let task = tokio::spawn(read(self.reader, sender));
        let messages = futures::stream::iter(first).chain(ReceiverStream::new(pieces).map(message));
        (messages, Reading { task, name: self.name })
    }
}

impl Reading {
    /// Says whether all of it could be read.
    pub(crate) async fn end(self) -> Result<(), Failure> {
        let read = self.task.await.map_err(io::Error::other).and_then(|read| read);
        read.map_err(|error| Failure::new(format!("read {}", self.name)).because(error))
    }
}

async fn read(mut source: impl AsyncRead + Unpin, pieces: mpsc::Sender<Vec<u8>>) -> io::Result<()> {
    loop {
        let mut data = Vec::with_capacity(PIECE_BYTES);
        while data.len() < PIECE_BYTES && source.read_buf(&mut data).await? > 0 {}
        let end = data.is_empty();
        // The engine hangs up when it has what it needs or knows what is wrong; it says so itself.
        if end || pieces.send(data).await.is_err() {
            return Ok(());
        }
    }
}

/// Refuses to write an archive to a terminal.
pub(crate) fn refuse_terminal(output: Option<&PathBuf>) -> Result<(), Failure> {
    if output.is_none() && io::stdout().is_terminal() {
        return Err(Failure::new("an archive is nothing to read").advice("name a file with -o, or pipe it on"));
    }
    Ok(())
}

/// Writes an archive to a file, or to standard output.
pub(crate) async fn write(
    pieces: impl Stream<Item = Result<Vec<u8>, Status>> + Unpin,
    output: Option<&PathBuf>,
) -> Result<(), Failure> {
    match output {
        Some(path) => to_file(path, pieces).await,
        None => copy(pieces, &mut tokio::io::stdout()).await,
    }
}

/// Under another name until it is whole, so that a torn archive never bears the name that was asked for.
async fn to_file(path: &Path, pieces: impl Stream<Item = Result<Vec<u8>, Status>> + Unpin) -> Result<(), Failure> {
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

async fn copy(
    mut pieces: impl Stream<Item = Result<Vec<u8>, Status>> + Unpin,
    to: &mut (impl AsyncWrite + Unpin),
) -> Result<(), Failure> {
    while let Some(piece) = pieces.next().await {
        to.write_all(&piece?).await?;
    }
    Ok(to.flush().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_archive_is_cut_into_pieces_and_nothing_is_lost() {
        let archive: Vec<u8> = (0..PIECE_BYTES * 2 + 5).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let source = Source { reader: Box::new(io::Cursor::new(archive.clone())), name: String::new() };
        let (messages, reading) = source.messages(Some(b"first".to_vec()), |data| data);
        let messages: Vec<Vec<u8>> = messages.collect().await;
        reading.end().await.unwrap();
        assert_eq!(messages[0], b"first");
        assert!(messages[1..].concat() == archive);
    }

    #[tokio::test]
    async fn a_torn_archive_does_not_bear_the_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.tar");
        let torn = futures::stream::iter([Ok(vec![1]), Err(Status::aborted("torn"))]);
        assert_eq!(write(torn, Some(&path)).await.unwrap_err().to_string(), "torn");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        write(futures::stream::iter([Ok(vec![1]), Ok(vec![2])]), Some(&path)).await.unwrap();
        assert_eq!(std::fs::read(path).unwrap(), [1, 2]);
    }
}
