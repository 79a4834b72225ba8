//! What a container does to the outside: `egress connect|send|half|reset|many|row|udp ADDRESS ...`. Says "ok" and what was
//! seen, or the errno.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    thread,
    time::Duration,
};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let address: SocketAddr = arguments[2].parse().expect("an address and a port");
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(0);
    let done = match arguments[1].as_str() {
        "connect" => TcpStream::connect(address).map(|_| String::new()),
        "send" => send(address, number(3), number(4)),
        "half" => half(address),
        "reset" => reset(address),
        "many" => many(address, number(3)),
        "row" => row(address, number(3)),
        "udp" => udp(address, number(3)),
        other => panic!("{other} is no command"),
    };
    match done {
        Ok(seen) => println!("ok {seen}"),
        Err(error) => println!("errno {} {error}", error.raw_os_error().unwrap_or(0)),
    }
}

/// Bytes that are not the same anywhere near.
fn pattern(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

/// Sends `total` bytes in writes of `size` to an echo, and compares what comes back.
fn send(address: SocketAddr, size: usize, total: usize) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.write_all(b"E")?;
    let mut back = stream.try_clone()?;
    let expected = pattern(total);
    let sent = expected.clone();
    let sending = thread::spawn(move || {
        sent.chunks(size.max(1)).try_for_each(|chunk| stream.write_all(chunk))?;
        stream.shutdown(std::net::Shutdown::Write)
    });
    let mut heard = Vec::new();
    back.read_to_end(&mut heard)?;
    sending.join().expect("a thread")?;
    Ok(if heard == expected { format!("{total}") } else { format!("{} other bytes", heard.len()) })
}

/// Says something, ends, and hears how much that was.
fn half(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"Hello")?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut heard = String::new();
    stream.read_to_string(&mut heard)?;
    Ok(heard)
}

/// Is cut off.
fn reset(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"R")?;
    let mut heard = [0; 10];
    let length = stream.read(&mut heard)?;
    Ok(format!("{length} bytes instead"))
}

fn ask(address: SocketAddr) -> io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"Hi")?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut heard = String::new();
    stream.read_to_string(&mut heard)?;
    Ok(heard == "2")
}

/// So many connections that are all open before the first is used.
fn many(address: SocketAddr, number: usize) -> io::Result<String> {
    let threads: Vec<_> = (0..number)
        .map(|_| thread::Builder::new().stack_size(64 << 10).spawn(move || TcpStream::connect(address)))
        .collect::<Result<_, _>>()?;
    let streams: Vec<_> = threads.into_iter().map(|thread| thread.join().expect("a thread")).collect::<Result<_, _>>()?;
    let mut right = 0;
    for mut stream in streams {
        stream.write_all(b"Hi")?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut heard = String::new();
        stream.read_to_string(&mut heard)?;
        right += usize::from(heard == "2");
    }
    Ok(format!("{right}"))
}

/// So many connections, one after another.
fn row(address: SocketAddr, number: usize) -> io::Result<String> {
    let mut right = 0;
    for _ in 0..number {
        right += usize::from(ask(address)?);
    }
    Ok(format!("{right}"))
}

/// A datagram of a size to an echo, sent again until it comes back.
fn udp(address: SocketAddr, size: usize) -> io::Result<String> {
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    let datagram = pattern(size);
    let mut heard = vec![0; 65_536];
    for _ in 0..10 {
        socket.send(&datagram)?;
        match socket.recv(&mut heard) {
            Ok(length) if heard[..length] == datagram[..] => return Ok(format!("{length}")),
            Ok(length) => return Ok(format!("{length} other bytes")),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}
