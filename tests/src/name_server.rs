//! A name server that knows a few names: one.test has the address 203.0.113.1 and a text, many.test has three hundred
//! addresses; no other name is there.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::mpsc,
    thread,
};

use anyhow::{Context, Result};

const A: u16 = 1;
const TXT: u16 = 16;
/// What fits into a datagram.
const LONGEST: usize = 512;

/// Starts it at an address and port; the names that it is asked for.
///
/// # Errors
/// If somebody else is there.
pub fn at(address: &str) -> Result<mpsc::Receiver<String>> {
    let datagrams = UdpSocket::bind(address).with_context(|| format!("listen at {address}"))?;
    let connections = TcpListener::bind(address).with_context(|| format!("listen at {address}"))?;
    let (tell, asked) = mpsc::channel();
    let told = tell.clone();
    thread::spawn(move || {
        let mut message = [0; LONGEST];
        while let Ok((length, from)) = datagrams.recv_from(&mut message) {
            let Some(answer) = answer(&message[..length], LONGEST, &told) else { continue };
            let _ = datagrams.send_to(&answer, from);
        }
    });
    thread::spawn(move || {
        for client in connections.incoming().map_while(Result::ok) {
            let _ = converse(client, &tell);
        }
    });
    Ok(asked)
}

fn converse(mut client: TcpStream, told: &mpsc::Sender<String>) -> io::Result<()> {
    let mut length = [0; 2];
    client.read_exact(&mut length)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    client.read_exact(&mut message)?;
    let answer = answer(&message, usize::from(u16::MAX), told).ok_or(io::ErrorKind::InvalidData)?;
    let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
    client.write_all(&[&length.to_be_bytes(), answer.as_slice()].concat())
}

/// The answer to a question; none to what is none.
fn answer(message: &[u8], longest: usize, told: &mpsc::Sender<String>) -> Option<Vec<u8>> {
    let (mut at, mut labels) = (12, Vec::new());
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(message.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]);
    let (name, question) = (labels.join("."), message.get(12..at + 4)?);
    let _ = told.send(name.clone());
    let records: Vec<Vec<u8>> = match (name.as_str(), kind) {
        ("one.test", A) => vec![record(A, &[203, 0, 113, 1])],
        ("one.test", TXT) => vec![record(TXT, b"\x06a text")],
        ("many.test", A) => {
            (0..300_u16).map(|n| record(A, &[203, 0, n.to_be_bytes()[0], n.to_be_bytes()[1]])).collect()
        }
        _ => Vec::new(),
    };
    let is_there = matches!(name.as_str(), "one.test" | "many.test");
    let fits = 12 + question.len() + records.iter().map(Vec::len).sum::<usize>() <= longest;
    let records = if fits { records } else { Vec::new() };
    let flags = [0x81 | if fits { 0 } else { 2 }, 0x80 | if is_there { 0 } else { 3 }];
    let count = u16::try_from(records.len()).ok()?.to_be_bytes();
    Some([&message[..2], &flags, &[0, 1], &count, &[0; 4], question, &records.concat()].concat())
}

fn record(kind: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap_or(0).to_be_bytes();
    [&[0xc0, 12], &kind.to_be_bytes()[..], &[0, 1, 0, 0, 0, 0], &length, data].concat()
}
