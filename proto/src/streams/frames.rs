//! Frames: a kind, a length, and so many bytes. A frame is one write, of a size that every vsock carries whole.
//!
//! ```text
//! kind: u8   0   length: u16, big-endian   payload
//! ```

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::StreamError;
use crate::paced::MAX_WRITE_BYTES;

pub(super) const HEADER: u8 = 1;
pub(super) const STATUS: u8 = 2;
pub(super) const DATA: u8 = 3;
/// As DATA, but the message goes on in the next frame.
pub(super) const MORE: u8 = 4;
pub(super) const END: u8 = 5;
pub(super) const DONE: u8 = 6;

pub(super) const HEAD: usize = 4;

/// The most bytes of a frame's payload.
pub const MAX_PAYLOAD: usize = MAX_WRITE_BYTES - HEAD;

/// What is read at once: several frames.
const BUFFER: usize = 4 * MAX_WRITE_BYTES;

/// A frame that has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// What the stream is for.
    Header(&'a [u8]),
    /// Whether that can be.
    Status(i32),
    /// Bytes, and whether their message goes on.
    Data(&'a [u8], bool),
    /// No more from the other side.
    End,
    /// All was taken and given.
    Done,
}

impl<'a> Frame<'a> {
    fn parse(kind: u8, payload: &'a [u8]) -> Result<Self, StreamError> {
        let frame = match (kind, payload) {
            (HEADER, header) => Self::Header(header),
            (STATUS, &[a, b, c, d]) => Self::Status(i32::from_be_bytes([a, b, c, d])),
            (DATA, bytes) => Self::Data(bytes, false),
            (MORE, bytes) => Self::Data(bytes, true),
            (END, []) => Self::End,
            (DONE, []) => Self::Done,
            (kind, payload) => return Err(StreamError::Frame { kind, length: payload.len() }),
        };
        Ok(frame)
    }

    /// The error of a frame that is none of those that may come now.
    pub(super) fn unexpected(&self) -> StreamError {
        let (kind, length) = match self {
            Self::Header(bytes) => (HEADER, bytes.len()),
            Self::Status(_) => (STATUS, 4),
            Self::Data(bytes, false) => (DATA, bytes.len()),
            Self::Data(bytes, true) => (MORE, bytes.len()),
            Self::End => (END, 0),
            Self::Done => (DONE, 0),
        };
        StreamError::Frame { kind, length }
    }
}

/// Reads frames.
#[derive(Debug)]
pub struct Reader<R> {
    stream: R,
    buffer: Box<[u8]>,
    /// What is in the buffer and not taken yet.
    start: usize,
    end: usize,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(super) fn new(stream: R) -> Self {
        Self { stream, buffer: vec![0; BUFFER].into(), start: 0, end: 0 }
    }

    /// The next frame. May be given up at any time: nothing that has come is lost.
    pub(super) async fn next(&mut self) -> Result<Frame<'_>, StreamError> {
        self.next_or_end().await?.ok_or_else(|| StreamError::Stream(io::ErrorKind::UnexpectedEof.into()))
    }

    /// The next frame, or `None` if the stream has ended between two.
    pub(super) async fn next_or_end(&mut self) -> Result<Option<Frame<'_>>, StreamError> {
        loop {
            if let Some((kind, length)) = self.head()?
                && self.end - self.start >= HEAD + length
            {
                let payload = self.start + HEAD;
                self.start = payload + length;
                return Frame::parse(kind, &self.buffer[payload..payload + length]).map(Some);
            }
            if self.fill().await? == 0 {
                let between = self.start == self.end;
                return if between { Ok(None) } else { Err(StreamError::Stream(io::ErrorKind::UnexpectedEof.into())) };
            }
        }
    }

    fn head(&self) -> Result<Option<(u8, usize)>, StreamError> {
        let Some(&[kind, reserved, high, low]) = self.buffer[self.start..self.end].first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if reserved != 0 || length > MAX_PAYLOAD {
            return Err(StreamError::Frame { kind, length });
        }
        Ok(Some((kind, length)))
    }

    async fn fill(&mut self) -> io::Result<usize> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.buffer.len() - self.start < MAX_WRITE_BYTES {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let read = self.stream.read(&mut self.buffer[self.end..]).await?;
        self.end += read;
        Ok(read)
    }

    /// As [`super::Stream::read_message`].
    ///
    /// # Errors
    /// If the stream fails or brings more than `limit` bytes in one.
    pub async fn message(&mut self, into: &mut Vec<u8>, limit: usize) -> Result<bool, StreamError> {
        into.clear();
        loop {
            match self.next().await? {
                Frame::Data(bytes, more) => {
                    if into.len() + bytes.len() > limit {
                        return Err(StreamError::MessageLength { limit });
                    }
                    into.extend_from_slice(bytes);
                    if !more {
                        return Ok(true);
                    }
                }
                Frame::End if into.is_empty() => return Ok(false),
                frame => return Err(frame.unexpected()),
            }
        }
    }
}

/// Writes frames.
#[derive(Debug)]
pub struct Writer<W> {
    stream: W,
    /// A frame as it is written, in one piece.
    frame: Box<[u8]>,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    pub(super) fn new(stream: W) -> Self {
        Self { stream, frame: vec![0; MAX_WRITE_BYTES].into() }
    }

    /// Writes one frame. The payload must fit.
    pub(super) async fn frame(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        let Some(place) = self.frame.get_mut(HEAD..HEAD + payload.len()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        place.copy_from_slice(payload);
        self.framed(kind, payload.len()).await
    }

    /// Where [`Writer::framed`] finds its payload: who reads from elsewhere reads it there, without copying it again.
    pub(super) fn payload(&mut self) -> &mut [u8] {
        &mut self.frame[HEAD..]
    }

    /// Writes a frame whose payload is in its place already.
    pub(super) async fn framed(&mut self, kind: u8, length: usize) -> io::Result<()> {
        let [high, low] = u16::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?.to_be_bytes();
        self.frame[..HEAD].copy_from_slice(&[kind, 0, high, low]);
        self.stream.write_all(&self.frame[..HEAD + length]).await?;
        self.stream.flush().await
    }

    /// As [`super::Stream::write_message`].
    ///
    /// # Errors
    /// If the stream fails.
    pub async fn message(&mut self, message: &[u8]) -> io::Result<()> {
        let mut rest = message;
        while let Some((piece, further)) = rest.split_at_checked(MAX_PAYLOAD).filter(|(_, further)| !further.is_empty())
        {
            self.frame(MORE, piece).await?;
            rest = further;
        }
        self.frame(DATA, rest).await
    }

    /// Says that there is no more.
    ///
    /// # Errors
    /// If the stream fails.
    pub async fn end(&mut self) -> io::Result<()> {
        self.frame(END, &[]).await
    }
}
