//! AF_HYPERV: dialling a port of a guest.
#![expect(unsafe_code, reason = "the standard library knows no sockets of this family")]

use std::{
    io, mem,
    net::TcpStream,
    os::windows::io::{FromRawSocket, OwnedSocket, RawSocket},
    ptr,
    time::Duration,
};

use windows_sys::{
    Win32::{
        Networking::WinSock::{
            AF_HYPERV, INVALID_SOCKET, SOCK_STREAM, SOCKADDR, SOCKET_ERROR, WSA_FLAG_NO_HANDLE_INHERIT,
            WSA_FLAG_OVERLAPPED, WSADATA, WSAGetLastError, WSASocketW, WSAStartup, connect, setsockopt,
        },
        System::Hypervisor::{
            HV_GUID_VSOCK_TEMPLATE, HV_PROTOCOL_RAW, HVSOCKET_CONNECT_TIMEOUT, HVSOCKET_CONNECT_TIMEOUT_MAX,
            SOCKADDR_HV,
        },
    },
    core::GUID,
};

use crate::identity::MachineId;

/// Of hvsocket.h; the structure says how large it is to the system.
const ADDRESS_LENGTH: usize = 36;
const _: () = assert!(size_of::<SOCKADDR_HV>() == ADDRESS_LENGTH);

/// Connects to a port of a guest. Blocks, for `patience` at most.
///
/// # Errors
/// What Windows says.
pub(crate) fn dial(id: MachineId, port: u32, patience: Duration) -> io::Result<TcpStream> {
    start_winsock()?;
    let socket = open()?;
    let raw = std::os::windows::io::AsRawSocket::as_raw_socket(&socket);
    limit(raw, patience)?;
    let address = SOCKADDR_HV {
        Family: AF_HYPERV,
        Reserved: 0,
        VmId: GUID::from_u128(id.as_u128()),
        // A vsock port is a service of this form, by agreement with Linux's hv_sock.
        ServiceId: GUID { data1: port, ..HV_GUID_VSOCK_TEMPLATE },
    };
    // SAFETY: the socket is open; the address is of its family and as long as is said.
    let failed = unsafe { connect(raw as usize, ptr::from_ref(&address).cast::<SOCKADDR>(), ADDRESS_LENGTH as i32) };
    if failed == SOCKET_ERROR { Err(last_error()) } else { Ok(TcpStream::from(socket)) }
}

fn open() -> io::Result<OwnedSocket> {
    let flags = WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT;
    // SAFETY: no protocol structure is given, which is what null says.
    let socket =
        unsafe { WSASocketW(i32::from(AF_HYPERV), SOCK_STREAM, HV_PROTOCOL_RAW.cast_signed(), ptr::null(), 0, flags) };
    if socket == INVALID_SOCKET {
        return Err(last_error());
    }
    // SAFETY: it has just been opened and nobody else has it.
    Ok(unsafe { OwnedSocket::from_raw_socket(socket as RawSocket) })
}

/// How long a connect may take, in milliseconds.
fn limit(socket: RawSocket, patience: Duration) -> io::Result<()> {
    let milliseconds = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX).min(HVSOCKET_CONNECT_TIMEOUT_MAX);
    let value = milliseconds.to_ne_bytes();
    // SAFETY: the socket is open; the value is as long as is said.
    let failed = unsafe {
        setsockopt(
            socket as usize,
            HV_PROTOCOL_RAW.cast_signed(),
            HVSOCKET_CONNECT_TIMEOUT.cast_signed(),
            value.as_ptr(),
            value.len() as i32,
        )
    };
    if failed == SOCKET_ERROR { Err(last_error()) } else { Ok(()) }
}

/// Counted by Windows, and ended with the process.
fn start_winsock() -> io::Result<()> {
    const VERSION_2_2: u16 = 0x0202;
    // SAFETY: zeroes are a value of this structure of integers, arrays and pointers.
    let mut data: WSADATA = unsafe { mem::zeroed() };
    // SAFETY: the structure is ours to fill.
    match unsafe { WSAStartup(VERSION_2_2, &raw mut data) } {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

fn last_error() -> io::Error {
    // SAFETY: it reads a variable of this thread.
    io::Error::from_raw_os_error(unsafe { WSAGetLastError() })
}
