//! Packets that wait in the kernel for a word of the agent, by nfnetlink. What is written here is
//! linux/netfilter/nfnetlink_queue.h; numbers are in the network's order.
//!
//! When the agent ends, what waits is dropped and so is what comes, until the next agent asks for it: the rules have no
//! way around the queue.

use std::{io, os::fd::OwnedFd};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType,
    netlink::{NETFILTER, SocketAddrNetlink},
};
use tokio::io::{Interest, unix::AsyncFd};

use super::{super::nftables::Attributes, rules::Mark};
use crate::sys::watch::watch;

const SUBSYSTEM: u16 = 3 << 8;
const PACKET: u16 = SUBSYSTEM;
const VERDICT: u16 = SUBSYSTEM | 1;
const CONFIGURE: u16 = SUBSYSTEM | 2;
const ERROR: u16 = 2;

const REQUEST: u16 = 0x1;
const ACKNOWLEDGE: u16 = 0x4;
/// Length, type, flags, sequence and port of a message; then family, version and number of the queue.
const HEADER: usize = 16;
const OF_QUEUE: usize = 4;

/// How many packets may wait, of all containers together.
const LONGEST: u32 = 8192;
/// The largest packet, and what is said about it.
const BUFFER: usize = 65_536 + 1024;

/// A queue.
#[derive(Debug)]
pub(super) struct Queue {
    socket: AsyncFd<OwnedFd>,
    number: u16,
}

/// A packet that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) id: u32,
    pub(super) bytes: Vec<u8>,
}

impl Queue {
    /// Takes the queue of the network namespace of this thread. Within a runtime.
    pub(super) fn open(number: u16) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(NETFILTER))?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, 0))?;
        const BIND: u8 = 1;
        const WHOLE_PACKETS: u8 = 2;
        let size = u32::from(u16::MAX).to_be_bytes();
        for attributes in [
            Attributes::default().bytes(1, &[BIND, 0, 0, 0]),
            Attributes::default().bytes(2, &[size.as_slice(), &[WHOLE_PACKETS]].concat()),
            Attributes::default().number(3, LONGEST),
        ] {
            configure(&socket, number, &attributes)?;
        }
        rustix::io::ioctl_fionbio(&socket, true)?;
        Ok(Self { socket: watch(socket, Interest::READABLE)?, number })
    }

    /// The packets that came to wait, one or more.
    pub(super) async fn next(&self) -> io::Result<Vec<Waiting>> {
        let mut buffer = vec![0; BUFFER];
        loop {
            let mut ready = self.socket.readable().await?;
            let read = ready.try_io(|socket| Ok(rustix::net::recv(socket, &mut buffer[..], RecvFlags::empty())?.0));
            match read {
                Ok(Ok(length)) => return Ok(packets(&buffer[..length])),
                // More came than there was room for; they are lost, and who sent them sends them again.
                Ok(Err(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                Ok(Err(error)) => return Err(error),
                Err(_would_block) => {}
            }
        }
    }

    /// The packet meets the rules again, with a mark.
    pub(super) fn mark(&self, id: u32, mark: Mark) -> io::Result<()> {
        const REPEAT: u32 = 4;
        self.verdict(id, REPEAT, Some(mark))
    }

    /// It never was.
    pub(super) fn forget(&self, id: u32) -> io::Result<()> {
        const DROP: u32 = 0;
        self.verdict(id, DROP, None)
    }

    fn verdict(&self, id: u32, what: u32, mark: Option<Mark>) -> io::Result<()> {
        let verdict = [what.to_be_bytes(), id.to_be_bytes()].concat();
        let mut attributes = Attributes::default().bytes(2, &verdict);
        if let Some(mark) = mark {
            attributes = attributes.number(3, mark.number());
        }
        let message = message(VERDICT, 0, self.number, &attributes);
        rustix::net::send(self.socket.get_ref(), &message, SendFlags::empty())?;
        Ok(())
    }
}

fn configure(socket: &OwnedFd, queue: u16, attributes: &Attributes) -> io::Result<()> {
    let asked = message(CONFIGURE, ACKNOWLEDGE, queue, attributes);
    rustix::net::send(socket, &asked, SendFlags::empty())?;
    let mut answer = vec![0; BUFFER];
    let (length, _) = rustix::net::recv(socket, &mut answer[..], RecvFlags::empty())?;
    let code =
        answer[..length].get(HEADER..HEADER + 4).map(|code| i32::from_ne_bytes([code[0], code[1], code[2], code[3]]));
    match code {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(-code)),
        None => Err(io::Error::other("the kernel answers something else than asked")),
    }
}

fn message(kind: u16, flags: u16, queue: u16, attributes: &Attributes) -> Vec<u8> {
    let attributes = attributes.as_bytes();
    let length = u32::try_from(HEADER + OF_QUEUE + attributes.len()).unwrap_or(u32::MAX);
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((flags | REQUEST).to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([0, 0]);
    bytes.extend(queue.to_be_bytes());
    bytes.extend(attributes);
    bytes
}

/// The packets in what was read.
fn packets(mut messages: &[u8]) -> Vec<Waiting> {
    let mut found = Vec::new();
    while let Some(header) = messages.get(..HEADER) {
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]);
        let length = usize::try_from(length).unwrap_or(usize::MAX).max(HEADER);
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        match messages.get(HEADER + OF_QUEUE..length).filter(|_| kind == PACKET).map(packet) {
            Some(Some(waiting)) => found.push(waiting),
            None if kind == ERROR => tracing::debug!("the kernel does not know a packet any more"),
            _ => {}
        }
        messages = messages.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

fn packet(mut attributes: &[u8]) -> Option<Waiting> {
    const ABOUT: u16 = 1;
    const PAYLOAD: u16 = 10;
    let (mut id, mut bytes) = (None, None);
    while let Some(head) = attributes.get(..4) {
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]])).max(4);
        let value = attributes.get(4..length)?;
        match u16::from_ne_bytes([head[2], head[3]]) {
            ABOUT => id = value.get(..4).map(|id| u32::from_be_bytes([id[0], id[1], id[2], id[3]])),
            PAYLOAD => bytes = Some(value.to_vec()),
            _ => {}
        }
        attributes = attributes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(Waiting { id: id?, bytes: bytes.unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_read_one_behind_the_other() {
        let of = |id: u32, payload: &[u8]| {
            let about = [id.to_be_bytes().as_slice(), &[8, 0, 0, 0]].concat();
            message(PACKET, 0, 0, &Attributes::default().bytes(1, &about).bytes(10, payload))
        };
        let read = packets(&[of(7, b"abc"), message(ERROR, 0, 0, &Attributes::default()), of(8, b"")].concat());
        let waiting = |id, bytes: &[u8]| Waiting { id, bytes: bytes.to_vec() };
        assert_eq!(read, [waiting(7, b"abc"), waiting(8, b"")]);
        let whole = of(7, b"abc");
        for length in 0..whole.len() - 1 {
            assert_eq!(packets(&whole[..length]), [], "{length} bytes");
        }
    }
}
