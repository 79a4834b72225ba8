//! Tries, from inside a container, to reach anything over vsock. One line for each try: what was tried, what the kernel
//! said.

use std::{ffi::c_int, io, mem};

const AF_VSOCK: c_int = 40;
const SOCK_STREAM: c_int = 1;

/// struct sockaddr_vm of linux/vm_sockets.h.
#[repr(C)]
struct Address {
    family: u16,
    reserved: u16,
    port: u32,
    cid: u32,
    zero: [u8; 4],
}

unsafe extern "C" {
    fn socket(family: c_int, kind: c_int, protocol: c_int) -> c_int;
    fn connect(socket: c_int, address: *const Address, length: u32) -> c_int;
    fn bind(socket: c_int, address: *const Address, length: u32) -> c_int;
}

fn main() {
    // SAFETY: socket takes no pointers.
    let vsock = unsafe { socket(AF_VSOCK, SOCK_STREAM, 0) };
    if vsock < 0 {
        println!("socket: {}", io::Error::last_os_error());
        return;
    }
    println!("socket: open");
    let length = u32::try_from(mem::size_of::<Address>()).unwrap_or(0);
    for (cid, port) in [(2, 1024), (2, 1025), (2, 22), (1, 1024), (1, 1025), (3, 1024), (4, 1024), (u32::MAX, 1024)] {
        // SAFETY: as above.
        let vsock = unsafe { socket(AF_VSOCK, SOCK_STREAM, 0) };
        let address = Address { family: 40, reserved: 0, port, cid, zero: [0; 4] };
        // SAFETY: the address lives through the call and has the length that is said.
        let verdict = match unsafe { connect(vsock, &raw const address, length) } {
            0 => "connected".to_owned(),
            _ => io::Error::last_os_error().to_string(),
        };
        println!("connect {cid}:{port}: {verdict}");
    }
    for port in [1024, 1025] {
        // SAFETY: as above.
        let vsock = unsafe { socket(AF_VSOCK, SOCK_STREAM, 0) };
        let address = Address { family: 40, reserved: 0, port, cid: u32::MAX, zero: [0; 4] };
        // SAFETY: as above.
        let verdict = match unsafe { bind(vsock, &raw const address, length) } {
            0 => "taken".to_owned(),
            _ => io::Error::last_os_error().to_string(),
        };
        println!("bind {port}: {verdict}");
    }
}
