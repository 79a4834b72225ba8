//! The frames that tell standard output from standard error on one stream:
//! `[1 or 2, 0, 0, 0, length as big-endian u32]` and the data.

use bytes::{BufMut, Bytes, BytesMut};
use cove_proto::v1::StdioStream;

/// How output is written to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// As it came: a terminal.
    Raw,
    /// Each piece behind a header that names its stream.
    Multiplexed,
}

impl Framing {
    /// Terminals have one output and no frames.
    pub(crate) fn of_tty(tty: bool) -> Self {
        if tty { Self::Raw } else { Self::Multiplexed }
    }

    /// The octets that carry `data`. Empty data makes no frame.
    pub(crate) fn encode(self, stream: StdioStream, data: Vec<u8>) -> Bytes {
        if self == Self::Raw || data.is_empty() {
            return Bytes::from(data);
        }
        let kind = if stream == StdioStream::Stderr { 2 } else { 1 };
        // A message of the engine is far below 4 GiB: gRPC would have refused it.
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let mut frame = BytesMut::with_capacity(8 + data.len());
        frame.put_slice(&[kind, 0, 0, 0]);
        frame.put_u32(length);
        frame.put_slice(&data);
        frame.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_names_its_stream_and_length() {
        let out = Framing::Multiplexed.encode(StdioStream::Stdout, b"hi\n".to_vec());
        assert_eq!(&out[..], b"\x01\0\0\0\0\0\0\x03hi\n");
        let err = Framing::Multiplexed.encode(StdioStream::Stderr, b"no".to_vec());
        assert_eq!(&err[..], b"\x02\0\0\0\0\0\0\x02no");
    }

    #[test]
    fn a_terminal_has_no_frames() {
        assert_eq!(&Framing::of_tty(true).encode(StdioStream::Stdout, b"hi".to_vec())[..], b"hi");
    }
}
