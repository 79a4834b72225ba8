//! Listens, from inside a container: on port 7 everything comes back (TCP and UDP), on 8 one is told who one is, on 9 a
//! connection is reset after its first byte, on 10 it is answered after its end.

use std::{
    ffi::c_int,
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream, UdpSocket},
    os::fd::AsRawFd,
    thread,
};

const SOL_SOCKET: c_int = 1;
const SO_LINGER: c_int = 13;

unsafe extern "C" {
    fn setsockopt(socket: c_int, level: c_int, name: c_int, value: *const [c_int; 2], length: u32) -> c_int;
}

fn main() {
    let services: [(u16, fn(TcpStream) -> io::Result<()>); 4] = [(7, echo), (8, tell), (9, reset), (10, count)];
    let listening = services.map(|(port, service)| {
        let listener = listener(port);
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.expect("a client is accepted");
                thread::Builder::new().stack_size(64 << 10).spawn(move || service(client)).expect("a thread starts");
            }
        })
    });
    for (port, answer) in [(7, None), (8, Some(()))] {
        let socket = UdpSocket::bind(("::", port)).or_else(|_| UdpSocket::bind(("0.0.0.0", port))).expect("it is free");
        thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            loop {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
                let told = format!("{}\n", from.ip().to_canonical());
                let answer = answer.map_or(&buffer[..length], |()| told.as_bytes());
                let _ = socket.send_to(answer, from);
            }
        });
    }
    println!("serving");
    listening.into_iter().for_each(|thread| thread.join().expect("it serves for ever"));
}

/// Of both versions, where there are two.
fn listener(port: u16) -> TcpListener {
    TcpListener::bind(("::", port)).or_else(|_| TcpListener::bind(("0.0.0.0", port))).expect("the port is free")
}

fn echo(mut client: TcpStream) -> io::Result<()> {
    let mut writer = client.try_clone()?;
    io::copy(&mut client, &mut writer)?;
    writer.shutdown(Shutdown::Write)
}

fn tell(mut client: TcpStream) -> io::Result<()> {
    writeln!(client, "{}", client.peer_addr()?.ip().to_canonical())
}

fn reset(mut client: TcpStream) -> io::Result<()> {
    client.read_exact(&mut [0])?;
    // On, and no time.
    let linger = [1, 0];
    // SAFETY: a struct linger, of the length that is said.
    unsafe { setsockopt(client.as_raw_fd(), SOL_SOCKET, SO_LINGER, &raw const linger, 8) };
    Ok(())
}

fn count(mut client: TcpStream) -> io::Result<()> {
    let mut all = Vec::new();
    client.read_to_end(&mut all)?;
    writeln!(client, "{} bytes", all.len())
}
