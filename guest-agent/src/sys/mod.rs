//! System calls that neither rustix nor nix wraps, each as a safe function. The only unsafe code of the guest.
//!
//! * [`clone`] — clone3 with a cgroup and a pidfd; the child's way out.
//! * [`descriptors`] — descriptors that a process inherits by number.
//! * [`execute`] — execve, and the signal state that a program expects.
//! * [`filter`] — seccomp.
//! * [`device_program`] — the cgroup's device filter, bpf(2).
//! * [`loopback`] — the loopback interface of a network namespace.
//! * [`memory`] — when memory goes back to the kernel.
//! * [`mount`] — mount_setattr.
//! * [`wait`] — waitid without a signal type in between.
//! * [`keys`] — session keyrings.
//! * [`clock`] — adjtime.
//! * [`send_signal`] — signals to a pidfd by number.
//! * [`watch`] — descriptors that tokio watches.

pub mod clock;
pub mod clone;
pub mod descriptors;
pub mod device_program;
pub mod execute;
pub mod filter;
pub mod keys;
pub mod loopback;
pub mod memory;
pub mod mount;
pub mod send_signal;
pub mod wait;
pub mod watch;

/// Turns what a system call returned into a result.
fn checked(returned: libc::c_long) -> Result<libc::c_long, rustix::io::Errno> {
    if returned < 0 {
        let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
        return Err(rustix::io::Errno::from_raw_os_error(errno));
    }
    Ok(returned)
}
