//! Session keyrings.
#![expect(unsafe_code, reason = "no crate in use wraps keyctl")]

use rustix::io::Errno;

/// Gives the process a session keyring of its own, so that it does not share PID 1's. A kernel without keyrings has none
/// to share.
///
/// # Errors
/// EDQUOT when there are too many.
pub fn new_session_keyring() -> Result<(), Errno> {
    // SAFETY: a null name asks for an anonymous keyring.
    let joined = super::checked(unsafe {
        libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>())
    });
    match joined {
        Ok(_) | Err(Errno::NOSYS) => Ok(()),
        Err(errno) => Err(errno),
    }
}
