//! One message in one packet of a SOCK_SEQPACKET socket, with descriptors beside it.
//!
//! The first byte says where the message is: in the rest of the packet, or, when it is long, in a sealed memfd that is the
//! first descriptor. Sealed, so that what was checked is what is used.

use std::{
    io::{self, IoSlice, IoSliceMut, Read, Write},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{MemfdFlags, SealFlags},
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
    },
};
use serde::{Serialize, de::DeserializeOwned};

/// The most descriptors that one message carries, which is the kernel's own limit: a container's five, those of its mounts,
/// and one for the memfd.
pub const MAX_DESCRIPTORS: usize = 253;
const MAX_INLINE: usize = 16 * 1024;
const MAX_MESSAGE: usize = 16 * 1024 * 1024;
const INLINE: u8 = 0;
const MEMFD: u8 = 1;

/// A message that is ready to be sent, however often that has to be tried.
#[derive(Debug)]
pub struct Packet {
    bytes: Vec<u8>,
    descriptors: Vec<OwnedFd>,
}

/// Makes the two ends of a connection, close-on-exec and non-blocking.
///
/// # Errors
/// Whatever the kernel says.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?)
}

impl Packet {
    /// Encodes a message.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn new(message: &impl Serialize, mut descriptors: Vec<OwnedFd>) -> io::Result<Self> {
        let body = postcard::to_stdvec(message).map_err(io::Error::other)?;
        if body.len() <= MAX_INLINE {
            let mut bytes = vec![INLINE];
            bytes.extend_from_slice(&body);
            return Ok(Self { bytes, descriptors });
        }
        descriptors.insert(0, sealed(&body)?);
        Ok(Self { bytes: vec![MEMFD], descriptors })
    }

    /// Sends it. A socket whose buffer is full gives [`io::ErrorKind::WouldBlock`].
    ///
    /// # Errors
    /// Whatever the kernel says; EPIPE when the other end is closed.
    pub fn send(&self, socket: impl AsFd) -> io::Result<()> {
        let borrowed: Vec<BorrowedFd<'_>> = self.descriptors.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !borrowed.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&borrowed)) {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        rustix::io::retry_on_intr(|| {
            rustix::net::sendmsg(&socket, &[IoSlice::new(&self.bytes)], &mut control, SendFlags::NOSIGNAL)
        })?;
        Ok(())
    }
}

/// Receives a message; `None` at the end. A socket that has none gives [`io::ErrorKind::WouldBlock`].
///
/// The kernel drops descriptors for which there is no room in the table of the process. So a message is looked at first,
/// and stays where it is until all of its descriptors have come with it.
///
/// # Errors
/// Whatever the kernel says, EMFILE when there is no room for its descriptors; [`io::ErrorKind::InvalidData`] for what is
/// no message.
pub fn receive<M: DeserializeOwned>(socket: impl AsFd) -> io::Result<Option<(M, Vec<OwnedFd>)>> {
    let mut bytes = vec![0; MAX_INLINE + 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::io::retry_on_intr(|| {
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::PEEK;
        rustix::net::recvmsg(&socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags)
    });
    let received = match received {
        // The other end closed before it had read everything.
        Err(rustix::io::Errno::CONNRESET) => return Ok(None),
        received => received?,
    };
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    if received.bytes == 0 {
        return Ok(None);
    }
    if received.flags.contains(ReturnFlags::CTRUNC) {
        return Err(rustix::io::Errno::MFILE.into());
    }
    rustix::io::retry_on_intr(|| rustix::net::recv(&socket, &mut [0_u8; 0], RecvFlags::empty()))?;
    if received.flags.contains(ReturnFlags::TRUNC) {
        return Err(invalid("a packet is longer than any message"));
    }
    let body = match bytes[0] {
        INLINE => bytes[1..received.bytes].to_vec(),
        MEMFD if !descriptors.is_empty() => unsealed(descriptors.remove(0))?,
        _ => return Err(invalid("a packet of an unknown form")),
    };
    let message = postcard::from_bytes(&body).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(Some((message, descriptors)))
}

fn sealed(body: &[u8]) -> io::Result<OwnedFd> {
    let memfd = rustix::fs::memfd_create("cove-message", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut file = std::fs::File::from(memfd);
    file.write_all(body)?;
    rustix::fs::fcntl_add_seals(&file, seals())?;
    Ok(file.into())
}

fn unsealed(memfd: OwnedFd) -> io::Result<Vec<u8>> {
    if !rustix::fs::fcntl_get_seals(&memfd)?.contains(seals()) {
        return Err(invalid("a message that is not sealed"));
    }
    let mut file = std::fs::File::from(memfd);
    let length = file.metadata()?.len();
    if length > MAX_MESSAGE as u64 {
        return Err(invalid("a message that is too long"));
    }
    // Writing has moved the offset, which both ends share.
    io::Seek::rewind(&mut file)?;
    let mut body = Vec::new();
    file.read_to_end(&mut body)?;
    Ok(body)
}

fn seals() -> SealFlags {
    SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use rustix::process::{Resource, Rlimit};

    use super::*;

    #[test]
    fn an_end_is_one_with_words_unread_too() {
        let (ours, theirs) = pair().unwrap();
        Packet::new(&"unread".to_owned(), Vec::new()).unwrap().send(&ours).unwrap();
        drop(theirs);
        assert!(receive::<String>(&ours).unwrap().is_none());
    }

    #[test]
    fn a_message_arrives_with_its_descriptors() {
        let (ours, theirs) = pair().unwrap();
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        Packet::new(&"hello".to_owned(), vec![writer]).unwrap().send(&ours).unwrap();
        let (text, descriptors) = receive::<String>(&theirs).unwrap().unwrap();
        assert_eq!((text.as_str(), descriptors.len()), ("hello", 1));
        rustix::io::write(&descriptors[0], b"x").unwrap();
        drop(descriptors);
        let mut bytes = Vec::new();
        std::fs::File::from(reader).read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"x");
    }

    #[test]
    fn a_message_waits_until_there_is_room_for_its_descriptors() {
        // In a process of its own: the limit is that of all threads.
        const LIMITED: &str = "COVE_TEST_LIMITED";
        if std::env::var_os(LIMITED).is_none() {
            let name = std::thread::current().name().unwrap().to_owned();
            let mut limited = std::process::Command::new(std::env::current_exe().unwrap());
            let output = limited.args(["--exact", &name]).env(LIMITED, "").output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && said.contains("1 passed"), "{said}");
            return;
        }
        let (ours, theirs) = pair().unwrap();
        let (_reader, writer) = rustix::pipe::pipe().unwrap();
        Packet::new(&"hello".to_owned(), vec![writer]).unwrap().send(&ours).unwrap();
        let limit = rustix::process::getrlimit(Resource::Nofile);
        rustix::process::setrlimit(Resource::Nofile, Rlimit { current: Some(0), ..limit }).unwrap();
        let refused = receive::<String>(&theirs);
        rustix::process::setrlimit(Resource::Nofile, limit).unwrap();
        assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::EMFILE));
        assert_eq!(receive::<String>(&theirs).unwrap().unwrap().1.len(), 1);
    }

    #[test]
    fn a_long_message_arrives_whole() {
        let (ours, theirs) = pair().unwrap();
        let long: Vec<u8> = (0..=255).cycle().take(1_000_000).collect();
        let (_reader, writer) = rustix::pipe::pipe().unwrap();
        Packet::new(&long, vec![writer]).unwrap().send(&ours).unwrap();
        let (received, descriptors) = receive::<Vec<u8>>(&theirs).unwrap().unwrap();
        assert!(received == long);
        assert_eq!(descriptors.len(), 1);
    }

    #[test]
    fn the_end_of_the_stream_is_no_message_and_an_empty_socket_would_block() {
        let (ours, theirs) = pair().unwrap();
        assert_eq!(receive::<String>(&theirs).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(ours);
        assert!(receive::<String>(&theirs).unwrap().is_none());
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        let (ours, theirs) = pair().unwrap();
        rustix::io::write(&ours, &[7, 1, 2]).unwrap();
        assert_eq!(receive::<String>(&theirs).unwrap_err().kind(), io::ErrorKind::InvalidData);
        rustix::io::write(&ours, &[INLINE, 200]).unwrap();
        assert_eq!(receive::<String>(&theirs).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
