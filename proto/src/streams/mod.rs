//! Raw streams between the halves: what a published port, the way out and the host's folders go through.
//!
//! The host dials [`ports::STREAMS`](crate::ports::STREAMS), both prove the secret of the boot, and then everything is
//! frames ([`frames`]): no vsock that is in use has a dependable half-close, and some lose long writes.
//!
//! ```text
//! host → guest   HEADER   what the stream is for
//! guest → host   STATUS   0, or an errno: then the next header may follow
//! both           DATA …   bytes (relay), or messages (read_message, write_message)
//! both           END      no more from this side; the other may go on
//! guest → host   DONE     all was taken and given: the next header may follow
//! ```
//!
//! A connection that was cut is a stream that ends without END.
//!
//! DONE makes a stream usable again, without dialling and proving; and it says that nothing is on its way any more, so
//! that a stream that is closed after it loses nothing on the transports that forget what they hold when one side closes.
//! Back-pressure is the stream's own: nothing is read on one side before it was taken on the other.

pub mod frames;
mod relay;
#[cfg(test)]
mod tests;

use std::io;

use prost::Message as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};

use self::frames::{Frame, Reader, Writer};
pub use self::relay::Ended;
use crate::v1::StreamHeader;

/// Which side of a stream this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// Says what it is for.
    Host,
    /// Says whether that can be.
    Guest,
}

/// Why a stream is of no use any more. None of it is expected of a sane other side, but for its leaving.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The stream failed, or ended where it must not.
    #[error("the other half left")]
    Stream(#[from] io::Error),
    /// A frame of no known kind, or too long.
    #[error("a frame of kind {kind} with {length} bytes makes no sense here")]
    Frame {
        /// Its kind.
        kind: u8,
        /// Its length.
        length: usize,
    },
    /// A header that is none.
    #[error("the header of a stream cannot be understood")]
    Header(#[from] prost::DecodeError),
    /// A message longer than the reader allows.
    #[error("a message is longer than {limit} bytes")]
    MessageLength {
        /// What is allowed.
        limit: usize,
    },
}

/// Why a stream was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The guest says no; the stream can be used for something else.
    #[error("refused by the guest: errno {0}")]
    Refused(i32),
    /// The stream is of no use.
    #[error(transparent)]
    Stream(#[from] StreamError),
}

/// A stream in frames, on anything that carries bytes. Both halves must be proven before.
#[derive(Debug)]
pub struct Stream<S> {
    side: Side,
    reader: Reader<ReadHalf<S>>,
    writer: Writer<WriteHalf<S>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream<S> {
    /// The host's side.
    pub fn host(stream: S) -> Self {
        Self::new(stream, Side::Host)
    }

    /// The guest's side.
    pub fn guest(stream: S) -> Self {
        Self::new(stream, Side::Guest)
    }

    fn new(stream: S, side: Side) -> Self {
        let (read, write) = tokio::io::split(stream);
        Self { side, reader: Reader::new(read), writer: Writer::new(write) }
    }

    /// Host: says what the stream is for. One round trip.
    ///
    /// # Errors
    /// [`OpenError::Refused`] leaves the stream usable.
    pub async fn open(&mut self, header: &StreamHeader) -> Result<(), OpenError> {
        let header = header.encode_to_vec();
        self.writer.frame(frames::HEADER, &header).await.map_err(StreamError::from)?;
        match self.reader.next().await? {
            Frame::Status(0) => Ok(()),
            Frame::Status(errno) => Err(OpenError::Refused(errno)),
            frame => Err(frame.unexpected().into()),
        }
    }

    /// Guest: waits to be told what the stream is for; `None` if the host has no more use for it.
    ///
    /// # Errors
    /// If what comes is no header.
    pub async fn accept(&mut self) -> Result<Option<StreamHeader>, StreamError> {
        match self.reader.next_or_end().await? {
            None => Ok(None),
            Some(Frame::Header(header)) => Ok(Some(StreamHeader::decode(header)?)),
            Some(frame) => Err(frame.unexpected()),
        }
    }

    /// Guest: says whether that can be, 0 or an errno.
    ///
    /// # Errors
    /// If the stream fails.
    pub async fn answer(&mut self, errno: i32) -> Result<(), StreamError> {
        Ok(self.writer.frame(frames::STATUS, &errno.to_be_bytes()).await?)
    }

    /// Writes a message of any length, which the other side gets whole.
    ///
    /// # Errors
    /// If the stream fails.
    pub async fn write_message(&mut self, message: &[u8]) -> Result<(), StreamError> {
        Ok(self.writer.message(message).await?)
    }

    /// Reads a message into `into`, whose content it replaces; false if the other side has ended. Must not be given up
    /// half-way: who also has to write takes the two directions apart.
    ///
    /// # Errors
    /// If the stream fails or brings more than `limit` bytes in one.
    pub async fn read_message(&mut self, into: &mut Vec<u8>, limit: usize) -> Result<bool, StreamError> {
        self.reader.message(into, limit).await
    }

    /// Takes the directions apart, for messages in both at once.
    #[must_use]
    pub fn into_halves(self) -> (Reader<ReadHalf<S>>, Writer<WriteHalf<S>>) {
        (self.reader, self.writer)
    }
}
