//! Asking one name server: by UDP, or by TCP where the question came by it. An answer that is cut off is given as it is,
//! and who asked comes back by TCP.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::{Duration, timeout},
};

use crate::egress::Target;

/// How long a server may take; moby's number.
const PATIENCE: Duration = Duration::from_secs(4);
/// The longest answer of UDP.
const LONGEST: usize = 65_535;
/// A message without its header is none.
const HEADER: usize = 12;

/// Whether an answer says that this server does not know, and another may.
pub(super) fn is_failure(answer: &[u8]) -> bool {
    const SERVER_FAILURE: u8 = 2;
    const REFUSED: u8 = 5;
    answer.get(3).is_none_or(|flags| matches!(flags & 15, SERVER_FAILURE | REFUSED))
}

/// Asks a server.
pub(super) async fn ask(server: Target, message: &[u8], by_tcp: bool) -> io::Result<Vec<u8>> {
    let mut own = message.to_vec();
    let id = own.get(..2).map(|id| [id[0], id[1]]).ok_or(io::ErrorKind::InvalidInput)?;
    // Whoever guesses at an answer has to guess this too.
    getrandom::fill(&mut own[..2]).map_err(io::Error::other)?;
    let asked = async { if by_tcp { over_tcp(server, &own).await } else { over_udp(server, &own).await } };
    let mut answer = timeout(PATIENCE, asked).await??;
    answer[..2].copy_from_slice(&id);
    Ok(answer)
}

fn is_answer(answer: &[u8], message: &[u8]) -> bool {
    const RESPONSE: u8 = 0x80;
    answer.len() >= HEADER && answer[..2] == message[..2] && answer[2] & RESPONSE != 0
}

fn address(server: Target) -> SocketAddr {
    match server {
        Target::Address(address) => address,
        Target::Host { port } => (std::net::Ipv4Addr::LOCALHOST, port).into(),
    }
}

async fn over_udp(server: Target, message: &[u8]) -> io::Result<Vec<u8>> {
    let server = address(server);
    let any: SocketAddr = if server.is_ipv4() {
        (std::net::Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (std::net::Ipv6Addr::UNSPECIFIED, 0).into()
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    socket.send(message).await?;
    let mut answer = vec![0; LONGEST];
    loop {
        let length = socket.recv(&mut answer).await?;
        if is_answer(&answer[..length], message) {
            answer.truncate(length);
            return Ok(answer);
        }
    }
}

async fn over_tcp(server: Target, message: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address(server)).await?;
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    stream.write_all(&[length.to_be_bytes().as_slice(), message].concat()).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    if is_answer(&answer, message) { Ok(answer) } else { Err(io::ErrorKind::InvalidData.into()) }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const QUESTION: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04name\x00\x00\x01\x00\x01";

    #[tokio::test]
    async fn answers_of_others_are_passed_over() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = Target::Host { port: socket.local_addr().unwrap().port() };
        let answering = tokio::spawn(async move {
            let mut message = [0; 512];
            let (length, from) = socket.recv_from(&mut message).await.unwrap();
            assert_eq!(message[2..length], QUESTION[2..]);
            let mut forged = message[..length].to_vec();
            forged[0] ^= 1;
            forged[2] = 0x81;
            // Another id; the question itself; nothing.
            for wrong in [&forged, &message[..length], b""] {
                socket.send_to(wrong, from).await.unwrap();
            }
            message[2] = 0x83;
            socket.send_to(&message[..length], from).await.unwrap();
        });
        let answer = ask(server, QUESTION, false).await.unwrap();
        answering.await.unwrap();
        assert_eq!((&answer[..3], answer.len()), (b"\x12\x34\x83".as_slice(), QUESTION.len()), "cut off, as it is");
    }

    #[tokio::test]
    async fn tcp_is_asked_by_tcp_and_half_an_answer_is_none() {
        for cut in [0, 5] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let server = Target::Host { port: listener.local_addr().unwrap().port() };
            let answering = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut message = vec![0; usize::from(stream.read_u16().await.unwrap())];
                stream.read_exact(&mut message).await.unwrap();
                message[2] = 0x81;
                stream.write_u16(u16::try_from(message.len()).unwrap()).await.unwrap();
                stream.write_all(&message[..message.len() - cut]).await.unwrap();
            });
            let answer = ask(server, QUESTION, true).await;
            answering.await.unwrap();
            assert_eq!(answer.is_ok(), cut == 0, "{answer:?}");
        }
    }

    #[tokio::test]
    async fn what_is_no_message_is_not_asked() {
        assert!(ask(Target::Host { port: 9 }, b"x", false).await.is_err());
        assert!(is_failure(b"\0\0\x81\x82") && is_failure(b"\0\0\x81\x85") && is_failure(b""));
        assert!(!is_failure(b"\0\0\x81\x83") && !is_failure(b"\0\0\x81\x80"));
    }
}
