//! `GetConsole`.

use std::path::PathBuf;

use cove_machine::console::{self, Follow};
use cove_proto::v1::{GetConsoleRequest, GetConsoleResponse};
use futures::{Stream, StreamExt, stream};
use tonic::Status;

/// How much goes into one message, well below gRPC's limit of 4 MiB.
const PIECE_BYTES: usize = 64 * 1024;

/// The end of the console and, if asked for, what follows.
pub(super) async fn read(
    log: PathBuf,
    request: GetConsoleRequest,
) -> Result<impl Stream<Item = Result<GetConsoleResponse, Status>> + use<>, Status> {
    let lines = usize::try_from(request.tail_lines).unwrap_or(usize::MAX);
    let (tail, end) = console::tail(&log, lines).await.map_err(unreadable)?;
    let pieces: Vec<_> = tail.chunks(PIECE_BYTES).map(|piece| Ok(piece.to_vec())).collect();
    let follow = request.follow.then(|| Follow::from(log, end));
    let rest = stream::unfold(follow, |follow| async move {
        let mut follow = follow?;
        match follow.next().await {
            Ok(data) => Some((Ok(data), Some(follow))),
            Err(error) => Some((Err(unreadable(error)), None)),
        }
    });
    Ok(stream::iter(pieces).chain(rest).map(|piece| piece.map(|data| GetConsoleResponse { data })))
}

fn unreadable(error: std::io::Error) -> Status {
    Status::internal(format!("read the console: {error}"))
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use super::*;

    async fn collect(log: PathBuf, tail_lines: u32) -> Vec<u8> {
        let console = read(log, GetConsoleRequest { tail_lines, follow: false }).await.unwrap();
        console.map(|piece| piece.unwrap().data).concat().await
    }

    #[tokio::test]
    async fn the_tail_comes_in_pieces_and_ends() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("console.log");
        let text = "0123456789abcde\n".repeat(10_000);
        fs::write(&log, &text).unwrap();
        assert_eq!(collect(log.clone(), 0).await, text.as_bytes());
        assert_eq!(collect(log, 2).await, &text.as_bytes()[..32]);
    }

    #[tokio::test]
    async fn following_goes_on_with_what_is_written_later() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("console.log");
        fs::write(&log, "one\n").unwrap();
        let console = read(log.clone(), GetConsoleRequest { tail_lines: 0, follow: true }).await.unwrap();
        let mut console = std::pin::pin!(console);
        assert_eq!(console.next().await.unwrap().unwrap().data, b"one\n");
        fs::File::options().append(true).open(&log).unwrap().write_all(b"two\n").unwrap();
        assert_eq!(console.next().await.unwrap().unwrap().data, b"two\n");
    }
}
