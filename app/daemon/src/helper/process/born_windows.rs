//! Windows: GetProcessTimes, in units of 100 ns since 1601.
#![expect(unsafe_code, reason = "processes that are not children have no safe face in the standard library")]

use std::{
    io,
    os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle},
};

use windows_sys::Win32::{
    Foundation::{ERROR_INVALID_PARAMETER, FILETIME},
    System::Threading::{GetProcessTimes, OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION},
};

/// When the process began; `None` if there is none, or only what is left of it: while somebody has a handle to a process
/// that has ended, it can be opened.
pub(super) fn started(pid: u32) -> io::Result<Option<u64>> {
    // SAFETY: it takes numbers alone.
    let handle = unsafe { OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, pid) };
    if handle.is_null() {
        let error = io::Error::last_os_error();
        let none = error.raw_os_error() == Some(ERROR_INVALID_PARAMETER.cast_signed());
        return if none { Ok(None) } else { Err(error) };
    }
    // SAFETY: it has just been opened and nobody else has it.
    let process = unsafe { OwnedHandle::from_raw_handle(handle) };
    let [mut created, mut exited, mut kernel, mut user] = [FILETIME::default(); 4];
    // SAFETY: the handle is open, with the right to ask this; the four times are ours to fill.
    let done = unsafe {
        GetProcessTimes(process.as_raw_handle(), &raw mut created, &raw mut exited, &raw mut kernel, &raw mut user)
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    // The time of the exit is undefined while the process runs; Windows leaves it at zero.
    Ok((number(exited) == 0).then_some(number(created)))
}

fn number(time: FILETIME) -> u64 {
    u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_begun_and_one_that_was_never_there_has_not() {
        let own = std::process::id();
        assert_eq!(started(own).unwrap(), started(own).unwrap());
        assert!(started(own).unwrap().is_some());
        // Numbers of processes are multiples of four.
        assert_eq!(started(u32::MAX - 2).unwrap(), None);
    }
}
