//! adjtime(3): no crate wraps it.
#![expect(unsafe_code, reason = "adjtime(3) has no wrapper in nix or rustix")]

/// Lets the clock run a little faster or slower until it has moved by so many microseconds.
///
/// # Errors
/// If the system refuses.
pub fn slew(micros: i64) -> std::io::Result<()> {
    let delta = libc::timeval { tv_sec: micros / 1_000_000, tv_usec: micros % 1_000_000 };
    // SAFETY: `delta` is a valid timeval for the length of the call, and null asks for no old value.
    let result = unsafe { libc::adjtime(&raw const delta, std::ptr::null_mut()) };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}
