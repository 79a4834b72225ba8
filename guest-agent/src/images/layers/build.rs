//! Builds a layer: one thread decompresses and hashes, this one unpacks what it hands over.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use super::decompress::plain;
use super::kept::Kept;
use super::record::RecordWriter;
use super::tape::{Tape, TapeError};
use super::unpack::Unpacker;
use super::{LayerError, Limits, Privilege, RECORD, TREE, tree};
use crate::images::digest::{Digest, HashingReader};
use crate::images::space::SpaceGuard;

/// Size of the pieces that go from one thread to the other.
const PIECE: usize = 256 << 10;
/// How many pieces may wait: the memory that a load takes. Their memory is used again, which costs no page faults.
const PIECES: usize = 4;

/// A layer on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BuiltLayer {
    /// Digest of its tar, uncompressed.
    pub(crate) diff_id: Digest,
    /// Size of its tar, uncompressed.
    pub(crate) tar_bytes: u64,
    /// Bytes of its files.
    pub(crate) content_bytes: u64,
}

/// Builds the layer of a tar, which may be compressed, in the new folder `folder`, in one pass.
///
/// # Errors
/// The tar is damaged, hostile, or not `expected`; or the disk fails. What is in `folder` then is for the caller to remove.
pub(crate) fn build(
    source: impl Read + Send,
    folder: &Path,
    expected: Option<&Digest>,
    privilege: Privilege,
    limits: &Limits,
) -> Result<BuiltLayer, LayerError> {
    let built = unpack(source, folder, privilege, limits)?;
    match expected {
        Some(expected) if *expected != built.diff_id => {
            Err(LayerError::Digest { expected: expected.clone(), actual: built.diff_id })
        }
        _ => Ok(built),
    }
}

fn unpack(
    source: impl Read + Send,
    folder: &Path,
    privilege: Privilege,
    limits: &Limits,
) -> Result<BuiltLayer, LayerError> {
    let root = folder.join(TREE);
    fs::create_dir(folder).and_then(|()| fs::create_dir(&root)).map_err(own("make"))?;
    // What a layer does not say about its root: dockerd's.
    fs::set_permissions(&root, std::os::unix::fs::PermissionsExt::from_mode(0o755)).map_err(own("set up"))?;
    let root = tree::open_root(&root).map_err(own("open"))?;
    let kept = Kept::of(folder).map_err(own("open"))?;
    let record = RecordWriter::new(File::create_new(folder.join(RECORD)).map_err(own("make"))?);

    thread::scope(|scope| {
        let (pieces, received) = sync_channel(PIECES);
        let (used, spare) = channel();
        let mut guard = SpaceGuard::new(folder, limits.reserved_bytes);
        let feeder = scope.spawn(move || feed(source, &pieces, &spare, &mut guard));
        let mut tape = Tape::new(Pieces::new(received, used), limits.layer_bytes, Some(record));
        let content_bytes = Unpacker::new(root, kept, privilege, limits).run(&mut tape);
        let record = tape.into_record();
        let fed = feeder.join().map_err(|_panic| TapeError::Read(io::Error::other("the decompressor failed")))?;
        let content_bytes = content_bytes?;
        // Without an error of the unpacker the feeder came to its end.
        let (diff_id, tar_bytes) = fed.ok_or(TapeError::Truncated)?;
        if let Some(record) = record {
            record.finish().map_err(TapeError::Record)?;
        }
        Ok(BuiltLayer { diff_id, tar_bytes, content_bytes })
    })
}

type Piece = io::Result<Vec<u8>>;

/// Decompresses and hashes `source` into `pieces`. `None` when it failed or the receiver has gone: the receiver knows why.
fn feed(
    source: impl Read,
    pieces: &SyncSender<Piece>,
    spare: &Receiver<Vec<u8>>,
    guard: &mut SpaceGuard,
) -> Option<(Digest, u64)> {
    let mut reader = match plain(source) {
        Ok(reader) => HashingReader::new(reader),
        Err(error) => {
            let _receiver_gone = pieces.send(Err(error));
            return None;
        }
    };
    loop {
        let mut piece = spare.try_recv().unwrap_or_else(|_none_yet| Vec::with_capacity(PIECE));
        piece.clear();
        let read = reader.by_ref().take(PIECE as u64).read_to_end(&mut piece);
        let read = read.and_then(|count| guard.used(count).map(|()| count));
        let end = read.as_ref().is_ok_and(|count| *count == 0);
        let failed = read.is_err();
        if pieces.send(read.map(|_| piece)).is_err() || failed {
            return None;
        }
        if end {
            return Some(reader.finish());
        }
    }
}

/// Reads the pieces.
struct Pieces {
    received: Receiver<Piece>,
    /// Where a piece goes that was read.
    used: Sender<Vec<u8>>,
    piece: io::Cursor<Vec<u8>>,
    ended: bool,
}

impl Pieces {
    fn new(received: Receiver<Piece>, used: Sender<Vec<u8>>) -> Self {
        Self { received, used, piece: io::Cursor::default(), ended: false }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.piece.read(buffer)?;
            if count > 0 || buffer.is_empty() || self.ended {
                return Ok(count);
            }
            match self.received.recv() {
                Ok(piece) => {
                    let piece = piece?;
                    self.ended = piece.is_empty();
                    let read = std::mem::replace(&mut self.piece, io::Cursor::new(piece)).into_inner();
                    if read.capacity() > 0 {
                        let _feeder_has_ended = self.used.send(read);
                    }
                }
                Err(_feeder_gone) => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }
}

fn own(action: &'static str) -> impl Fn(io::Error) -> LayerError {
    move |source| LayerError::Io { action, path: "/".to_owned(), source }
}
