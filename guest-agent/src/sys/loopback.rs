//! Bringing up the loopback interface of the network namespace that the process is in.
#![expect(unsafe_code, reason = "no crate in use wraps the ioctls of interfaces")]

use std::os::fd::AsRawFd;

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, socket_with},
};

/// Brings `lo` up; its addresses come by themselves.
///
/// # Errors
/// What the kernel says.
pub fn bring_up() -> Result<(), Errno> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    let flags = libc::IFF_UP | libc::IFF_RUNNING;
    // SAFETY: ifreq is plain data, for which zeros are valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = i16::try_from(flags).map_err(|_| Errno::INVAL)?;
    // SAFETY: the request names an interface and its flags, as SIOCSIFFLAGS takes it, and outlives the call.
    let returned = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    super::checked(libc::c_long::from(returned)).map(drop)
}
