//! execve(2), and the signal state that a program expects of whoever executes it.
#![expect(unsafe_code, reason = "rustix's execve is not stable; resetting a signal's action is unsafe in every crate")]

use std::{ffi::CString, ptr};

use rustix::io::Errno;

/// Replaces the program. Returns only when that failed.
#[must_use]
pub fn execute(path: &CString, arguments: &[CString], environment: &[CString]) -> Errno {
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
    };
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    // SAFETY: both lists end with a null pointer, and every string lives until after the call.
    let returned = unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    super::checked(libc::c_long::from(returned)).err().unwrap_or(Errno::IO)
}

/// Gives every signal its default action and unblocks all: Rust's runtime ignores SIGPIPE, and PID 1 blocks what it
/// reads from a descriptor; both would be inherited.
pub fn reset_signals() {
    for signal in 1..=64 {
        // SAFETY: SIG_DFL runs no code of ours. For SIGKILL, SIGSTOP and the C library's own two it fails, as it should.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let none = nix::sys::signal::SigSet::empty();
    // Fails only for an operation that does not exist.
    let _ = nix::sys::signal::sigprocmask(nix::sys::signal::SigmaskHow::SIG_SETMASK, Some(&none), None);
}
