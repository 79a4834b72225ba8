//! What containers may find outside: servers of this computer, and addresses that it has for a while.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

/// A server of this computer; it ends when this is dropped. By the first byte that a client says: "E" echoes what follows,
/// "H" says how much came before the end, "R" cuts the connection, "G" is a client of HTTP.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
}

impl Server {
    /// At an address and a free port.
    ///
    /// # Errors
    /// If the computer does not have the address.
    pub fn at(address: &str) -> Result<Self> {
        let address: IpAddr = address.parse()?;
        let listener = TcpListener::bind((address, 0)).with_context(|| format!("listen at {address}"))?;
        let ended = Arc::<AtomicBool>::default();
        let server = Self { address: listener.local_addr()?, ended: Arc::clone(&ended) };
        thread::spawn(move || {
            for client in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(client) = client {
                    thread::spawn(move || serve(client));
                }
            }
        });
        Ok(server)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // The last client, so that it looks.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(mut client: TcpStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut first = [0; 1];
    client.read_exact(&mut first)?;
    match &first {
        b"E" => {
            let mut back = client.try_clone()?;
            io::copy(&mut client, &mut back)?;
            back.shutdown(std::net::Shutdown::Write)
        }
        b"R" => {
            rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO))?;
            Ok(())
        }
        b"G" => {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0; 1];
                client.read_exact(&mut byte)?;
                head.push(byte[0]);
            }
            client.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nthe host\n")
        }
        _ => {
            let mut rest = Vec::new();
            client.read_to_end(&mut rest)?;
            write!(client, "{}", rest.len() + 1)
        }
    }
}

/// Sends datagrams back, from a free port of this computer's loopback; until the test ends.
///
/// # Errors
/// If there is no port.
pub fn echo_datagrams(address: &str) -> Result<u16> {
    let socket = UdpSocket::bind((address.parse::<IpAddr>()?, 0))?;
    let port = socket.local_addr()?.port();
    thread::spawn(move || {
        let mut datagram = vec![0; 65_536];
        while let Ok((length, from)) = socket.recv_from(&mut datagram) {
            let _ = socket.send_to(&datagram[..length], from);
        }
    });
    Ok(port)
}

/// Something of `ip` that is taken back: an address of loopback, a route.
#[derive(Debug)]
pub struct Borrowed {
    back: Vec<String>,
}

impl Borrowed {
    /// An address of this computer, "198.51.100.1/32".
    ///
    /// # Errors
    /// If this user may not.
    pub fn address(address: &str) -> Result<Self> {
        // Nobody else has it, so that nobody is asked.
        let at_once: &[&str] = if address.contains(':') { &["nodad"] } else { &[] };
        let there = [&["addr", "add", address, "dev", "lo"], at_once].concat();
        Self::with(&there, &["addr", "del", address, "dev", "lo"])
    }

    /// A route of a kind, "unreachable", "prohibit".
    ///
    /// # Errors
    /// If this user may not.
    pub fn route(kind: &str, address: &str) -> Result<Self> {
        Self::with(&["route", "add", kind, address], &["route", "del", kind, address])
    }

    fn with(there: &[&str], back: &[&str]) -> Result<Self> {
        let back: Vec<String> = back.iter().map(|word| (*word).to_owned()).collect();
        // What an earlier test that was killed has left.
        let _ = Command::new("ip").args(&back).output();
        let done = Command::new("ip").args(there).output().context("start ip")?;
        ensure!(done.status.success(), "ip {there:?}: {}", String::from_utf8_lossy(&done.stderr));
        Ok(Self { back })
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(&self.back).output();
    }
}

/// An HTTP proxy that connects everybody to one port of loopback; its port, and what it was asked first.
///
/// # Errors
/// If there is no port.
pub fn proxy(to: u16) -> Result<(u16, mpsc::Receiver<String>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let (tell, asked) = mpsc::channel();
    thread::spawn(move || -> io::Result<()> {
        let (mut client, _) = listener.accept()?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0; 1];
            client.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let _ = tell.send(String::from_utf8_lossy(&head).into_owned());
        let mut server = TcpStream::connect(("127.0.0.1", to))?;
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        let (mut from, mut back) = (client.try_clone()?, server.try_clone()?);
        let answering = thread::spawn(move || io::copy(&mut back, &mut client));
        io::copy(&mut from, &mut server)?;
        server.shutdown(std::net::Shutdown::Write)?;
        let _ = answering.join();
        Ok(())
    });
    Ok((port, asked))
}
