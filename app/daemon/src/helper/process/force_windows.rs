//! TerminateProcess. What the process started ends with it: its machine is closed with its last handle.
#![expect(unsafe_code, reason = "processes that are not children have no safe face in the standard library")]

use std::{
    io,
    os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle},
};

use windows_sys::Win32::System::Threading::{OpenProcess, PROCESS_TERMINATE, TerminateProcess};

/// Ends the process.
pub(super) fn end(pid: u32) -> io::Result<()> {
    // SAFETY: it takes numbers alone.
    let handle = unsafe { OpenProcess(PROCESS_TERMINATE, 0, pid) };
    if handle.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it has just been opened and nobody else has it.
    let process = unsafe { OwnedHandle::from_raw_handle(handle) };
    // SAFETY: the handle is open, with the right to do this.
    let done = unsafe { TerminateProcess(process.as_raw_handle(), 1) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
