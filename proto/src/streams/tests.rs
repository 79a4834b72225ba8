//! Two halves on a pipe: every size, ends, cuts, and what is no frame.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::v1::{EgressStream, stream_header::Kind};

fn header() -> StreamHeader {
    StreamHeader { kind: Some(Kind::Egress(EgressStream { flow_id: 7 })) }
}

fn pair(capacity: usize) -> (Stream<DuplexStream>, Stream<DuplexStream>) {
    let (host, guest) = duplex(capacity);
    (Stream::host(host), Stream::guest(guest))
}

/// A stream whose guest relays to a socket of which the other end is given out, and so does the host.
struct Joined {
    client: DuplexStream,
    server: DuplexStream,
    host: tokio::task::JoinHandle<(Ended, Stream<DuplexStream>)>,
    guest: tokio::task::JoinHandle<(Ended, Stream<DuplexStream>)>,
}

fn join(capacity: usize) -> Joined {
    let (mut host, mut guest) = pair(capacity);
    let (client, mut of_client) = duplex(capacity);
    let (server, mut of_server) = duplex(capacity);
    let host = tokio::spawn(async move {
        host.open(&header()).await.unwrap();
        (host.relay(&mut of_client).await, host)
    });
    let guest = tokio::spawn(async move {
        assert_eq!(guest.accept().await.unwrap(), Some(header()));
        guest.answer(0).await.unwrap();
        (guest.relay(&mut of_server).await, guest)
    });
    Joined { client, server, host, guest }
}

/// Bytes that no shift or repetition maps onto themselves.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[tokio::test]
async fn bytes_of_every_write_size_arrive_as_they_were_in_both_directions() {
    let sizes = [1, 2, 3, 4, 5, 100, 4095, 4096, MAX - 1, MAX, MAX + 1, 16_384, 32_768, 36_864, 65_536, 262_144];
    for size in sizes {
        for capacity in [7, 16_384, 100_000] {
            let bytes = noise((3 * size + 1).min(400_000));
            let joined = join(capacity);
            let (up, down) = (echo(joined.client, bytes.clone(), size), echo(joined.server, bytes.clone(), size));
            let (up, down) = tokio::join!(up, down);
            assert!(up == bytes && down == bytes, "{size} bytes at once over {capacity}");
            assert_eq!((joined.host.await.unwrap().0, joined.guest.await.unwrap().0), (Ended::Well, Ended::Well));
        }
    }
}

const MAX: usize = frames::MAX_PAYLOAD;

/// Writes bytes in pieces, ends, and reads what the other side has to say.
async fn echo(socket: DuplexStream, bytes: Vec<u8>, size: usize) -> Vec<u8> {
    let (mut read, mut write) = tokio::io::split(socket);
    let sent = async {
        for piece in bytes.chunks(size) {
            write.write_all(piece).await.unwrap();
        }
        write.shutdown().await.unwrap();
    };
    let mut heard = Vec::new();
    let (_, ()) = tokio::join!(async { read.read_to_end(&mut heard).await.unwrap() }, sent);
    heard
}

#[tokio::test]
async fn one_direction_goes_on_when_the_other_has_ended() {
    let mut joined = join(1000);
    joined.client.write_all(b"question").await.unwrap();
    joined.client.shutdown().await.unwrap();
    let mut question = Vec::new();
    joined.server.read_to_end(&mut question).await.unwrap();
    joined.server.write_all(b"answer").await.unwrap();
    joined.server.shutdown().await.unwrap();
    let mut answer = Vec::new();
    joined.client.read_to_end(&mut answer).await.unwrap();
    assert_eq!((question.as_slice(), answer.as_slice()), (b"question".as_slice(), b"answer".as_slice()));
}

#[tokio::test]
async fn a_stream_is_used_again_after_both_directions_have_ended() {
    let joined = join(1000);
    drop((joined.client, joined.server));
    let ((ended, mut host), (_, mut guest)) = (joined.host.await.unwrap(), joined.guest.await.unwrap());
    assert_eq!(ended, Ended::Well);
    let refused = tokio::spawn(async move {
        let asked = guest.accept().await.unwrap();
        guest.answer(111).await.unwrap();
        (asked, guest)
    });
    assert!(matches!(host.open(&header()).await, Err(OpenError::Refused(111))));
    let (asked, mut guest) = refused.await.unwrap();
    assert_eq!(asked, Some(header()));
    drop(host);
    assert_eq!(guest.accept().await.unwrap(), None, "the host has no more use for it");
}

/// A socket that was reset.
struct Broken;

impl AsyncRead for Broken {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }
}

impl AsyncWrite for Broken {
    fn poll_write(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        std::task::Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }
    fn poll_flush(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_socket_that_was_reset_cuts_the_connection_on_the_other_side() {
    let (mut host, mut guest) = pair(1000);
    let (mut server, mut of_server) = duplex(1000);
    let guest = tokio::spawn(async move { guest.relay(&mut of_server).await });
    assert_eq!(host.relay(&mut Broken).await, Ended::Cut);
    drop(host);
    assert_eq!(guest.await.unwrap(), Ended::Cut);
    assert_eq!(server.read(&mut [0]).await.unwrap(), 0, "the socket is dropped, and the caller resets it");
}

#[tokio::test]
async fn a_half_that_leaves_before_it_has_ended_cuts_the_connection() {
    let mut joined = join(1000);
    joined.client.write_all(b"!").await.unwrap();
    joined.server.read_exact(&mut [0]).await.unwrap();
    joined.guest.abort();
    assert_eq!(joined.host.await.unwrap().0, Ended::Cut);
}

#[tokio::test]
async fn messages_of_every_length_stay_whole_and_in_order() {
    let (host, mut guest) = pair(50_000);
    let lengths = [0, 1, 1472, MAX - 1, MAX, MAX + 1, 2 * MAX, 65_507, 1 << 20];
    let (_kept, mut writer) = host.into_halves();
    let sent = tokio::spawn(async move {
        for length in lengths {
            writer.message(&noise(length)).await.unwrap();
        }
        writer.end().await.unwrap();
        writer
    });
    let mut message = Vec::new();
    for length in lengths {
        assert!(guest.read_message(&mut message, 1 << 20).await.unwrap());
        assert!(message == noise(length), "{length} bytes");
    }
    assert!(!guest.read_message(&mut message, 1 << 20).await.unwrap());
    drop(sent.await.unwrap());
}

#[tokio::test]
async fn a_message_that_is_too_long_is_an_error_before_it_is_kept() {
    let (host, mut guest) = pair(50_000);
    let (_kept, mut writer) = host.into_halves();
    tokio::spawn(async move { writer.message(&noise(100_000)).await });
    let mut message = Vec::new();
    let refused = guest.read_message(&mut message, 65_535).await;
    assert!(matches!(refused, Err(StreamError::MessageLength { limit: 65_535 })));
    assert!(message.len() <= 65_535);
}

#[tokio::test]
async fn what_is_no_frame_or_none_that_may_come_is_an_error() {
    let malformed: [&[u8]; 9] = [
        b"GET / HTTP/1.1\r\n\r\n",
        &[0, 0, 0, 0],
        &[99, 0, 0, 0],
        &[frames::DATA, 1, 0, 0],
        &[frames::DATA, 0, 255, 255],
        &[frames::END, 0, 0, 1, 0],
        &[frames::STATUS, 0, 0, 3, 0, 0, 0],
        &[frames::HEADER, 0, 0, 2, 0xff, 0xff],
        &[frames::DONE, 0, 0, 0],
    ];
    for bytes in malformed {
        let (mut stranger, guest) = duplex(1000);
        stranger.write_all(bytes).await.unwrap();
        let mut guest = Stream::guest(guest);
        let refused = guest.accept().await;
        assert!(matches!(refused, Err(StreamError::Frame { .. } | StreamError::Header(_))), "{bytes:?}: {refused:?}");
    }
}

#[tokio::test]
async fn a_frame_that_is_cut_short_is_no_end() {
    for length in 1..6 {
        let (mut stranger, guest) = duplex(1000);
        stranger.write_all(&[frames::HEADER, 0, 0, 2, 8, 1][..length.min(5)]).await.unwrap();
        drop(stranger);
        assert!(matches!(Stream::guest(guest).accept().await, Err(StreamError::Stream(_))), "{length}");
    }
}

#[tokio::test]
async fn any_bytes_are_frames_or_an_error_and_never_more() {
    for seed in 0..200 {
        let bytes: Vec<u8> = noise(600 + seed).split_off(seed);
        let (mut stranger, mut of_stranger) = duplex(4096);
        stranger.write_all(&bytes).await.unwrap();
        drop(stranger);
        let (mut reader, _writer) = Stream::guest(&mut of_stranger).into_halves();
        while let Ok(Some(_)) = reader.next_or_end().await {}
    }
}

#[tokio::test]
async fn no_write_is_longer_than_every_vsock_carries() {
    let (host, mut guest) = duplex(1 << 20);
    let (_reader, mut writer) = Stream::host(host).into_halves();
    writer.message(&noise(100_000)).await.unwrap();
    // A duplex gives what was written; each frame's length is within its write, which is whole.
    let mut seen = 0;
    while seen < 100_000 {
        let mut head = [0; frames::HEAD];
        guest.read_exact(&mut head).await.unwrap();
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        assert!(length + frames::HEAD <= crate::paced::MAX_WRITE_BYTES);
        guest.read_exact(&mut vec![0; length]).await.unwrap();
        seen += length;
    }
    assert_eq!(seen, 100_000);
}
