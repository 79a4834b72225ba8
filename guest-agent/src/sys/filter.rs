//! seccomp(2): the system call filter of the calling process.
#![expect(unsafe_code, reason = "no crate in use wraps seccomp")]

use rustix::io::Errno;

/// Sets a filter, `struct sock_filter[]` in the kernel's layout. Needs no_new_privs or CAP_SYS_ADMIN.
///
/// # Errors
/// EINVAL for what is no program; EACCES without the right to.
pub fn set(program: &[u8]) -> Result<(), Errno> {
    let instructions: Vec<libc::sock_filter> = program
        .chunks_exact(8)
        .map(|bytes| libc::sock_filter {
            code: u16::from_ne_bytes([bytes[0], bytes[1]]),
            jt: bytes[2],
            jf: bytes[3],
            k: u32::from_ne_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
        })
        .collect();
    let program = libc::sock_fprog {
        len: u16::try_from(instructions.len()).map_err(|_| Errno::INVAL)?,
        filter: instructions.as_ptr().cast_mut(),
    };
    // SAFETY: the program points at `len` instructions that live until after the call; the kernel copies them and does
    // not write to them.
    super::checked(unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) })
        .map(drop)
}
