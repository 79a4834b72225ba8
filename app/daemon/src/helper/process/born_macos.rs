//! macOS: libproc's short description of a process, in microseconds since 1970.
#![expect(unsafe_code, reason = "proc_pidinfo is a C function that fills a struct")]

use std::{io, mem::MaybeUninit};

/// What the system does not number: no process has this.
const NO_PROCESS: i32 = libc::ESRCH;

/// When the process began; `None` if there is none, or only what is left of it.
pub(super) fn started(pid: u32) -> io::Result<Option<u64>> {
    let Ok(pid) = libc::pid_t::try_from(pid) else { return Ok(None) };
    let Ok(size) = libc::c_int::try_from(size_of::<libc::proc_bsdinfo>()) else {
        return Err(io::ErrorKind::Other.into());
    };
    let mut info = MaybeUninit::<libc::proc_bsdinfo>::zeroed();
    // SAFETY: the buffer is writable and as large as is said. With an argument of 0 zombies are not looked for.
    let written = unsafe { libc::proc_pidinfo(pid, libc::PROC_PIDTBSDINFO, 0, info.as_mut_ptr().cast(), size) };
    if written < size {
        let error = io::Error::last_os_error();
        return if error.raw_os_error() == Some(NO_PROCESS) { Ok(None) } else { Err(error) };
    }
    // SAFETY: it was zeroed, which is a value of these integers, and then filled.
    let info = unsafe { info.assume_init() };
    Ok((info.pbi_status != libc::SZOMB).then_some(info.pbi_start_tvsec * 1_000_000 + info.pbi_start_tvusec))
}
