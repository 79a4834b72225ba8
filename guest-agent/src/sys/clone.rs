//! clone3(2) with a cgroup and a pidfd, and fork(2).
//!
//! Only for a process that has one thread: its child is then an ordinary copy, and may allocate.
#![expect(unsafe_code, reason = "no crate wraps clone3; it returns twice")]

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;

/// Which of the two a process is after [`clone`].
#[derive(Debug)]
pub enum Side {
    /// The new one.
    Child,
    /// The caller.
    Parent {
        /// Id of the child, in the caller's PID namespace.
        pid: u32,
        /// The child.
        pidfd: OwnedFd,
    },
}

/// What the child is made with.
#[derive(Debug, Default)]
pub struct Options<'a> {
    /// CLONE_NEW*.
    pub namespaces: u64,
    /// The cgroup that it is born in: moving it later would wait for an RCU grace period.
    pub cgroup: Option<BorrowedFd<'a>>,
    /// Whether it becomes the caller's sibling instead of its child.
    pub sibling: bool,
}

/// Makes a process. The caller must have one thread.
///
/// # Errors
/// What the kernel says: EAGAIN when there are too many processes, EBUSY when the cgroup holds no processes.
pub fn clone(options: &Options<'_>) -> Result<Side, Errno> {
    let mut pidfd: libc::c_int = -1;
    let mut flags = options.namespaces | libc::CLONE_PIDFD as u64;
    // A sibling tells the common parent of its end by the caller's own signal; it must not name one.
    let exit_signal = if options.sibling { 0 } else { libc::SIGCHLD as u64 };
    if options.sibling {
        flags |= libc::CLONE_PARENT as u64;
    }
    let mut cgroup = 0;
    if let Some(folder) = options.cgroup {
        flags |= CLONE_INTO_CGROUP;
        cgroup = u64::try_from(folder.as_raw_fd()).map_err(|_| Errno::BADF)?;
    }
    let arguments =
        CloneArgs { flags, pidfd: (&raw mut pidfd).addr() as u64, exit_signal, cgroup, ..CloneArgs::default() };
    // SAFETY: the structure is the kernel's, of the size given, and outlives the call; `pidfd` is where the kernel writes
    // the descriptor. Without CLONE_VM and a stack of its own, the child goes on here with a copy of everything.
    let returned = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, std::mem::size_of::<CloneArgs>()) };
    match super::checked(returned)? {
        0 => Ok(Side::Child),
        pid => {
            // SAFETY: the kernel has just made the descriptor, for us alone.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Side::Parent { pid: u32::try_from(pid).map_err(|_| Errno::OVERFLOW)?, pidfd })
        }
    }
}

/// Makes a process with nothing new, by the call that every filter lets through: Docker's has no clone3. The caller must
/// have one thread.
///
/// # Errors
/// What the kernel says.
pub fn fork() -> Result<Side, Errno> {
    // SAFETY: with one thread, the child is an ordinary copy.
    match super::checked(libc::c_long::from(unsafe { libc::fork() }))? {
        0 => Ok(Side::Child),
        pid => {
            let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).ok_or(Errno::OVERFLOW)?;
            let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())?;
            Ok(Side::Parent { pid: pid.as_raw_nonzero().get().unsigned_abs(), pidfd })
        }
    }
}

/// Ends the process without running anything that belongs to its parent (exit handlers, destructors).
pub fn leave(code: i32) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(code) }
}

/// Leaves the cgroup namespace for a new one whose root is the cgroup that the process is in.
///
/// # Errors
/// What the kernel says.
pub fn unshare_cgroup_namespace() -> Result<(), Errno> {
    // SAFETY: changes what /proc and cgroup2 show, no memory and no descriptors.
    super::checked(libc::c_long::from(unsafe { libc::unshare(libc::CLONE_NEWCGROUP) })).map(drop)
}

/// Makes a time namespace for the children of the process, which stays in its own.
///
/// # Errors
/// What the kernel says; EINVAL when it has none.
pub fn unshare_time_namespace() -> Result<(), Errno> {
    // SAFETY: changes what clocks show to processes that do not exist yet, no memory and no descriptors.
    super::checked(libc::c_long::from(unsafe { libc::unshare(CLONE_NEWTIME) })).map(drop)
}

/// From linux/sched.h; libc lacks it.
const CLONE_NEWTIME: libc::c_int = 0x80;

/// From linux/sched.h; it does not fit libc's type of the others.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// `struct clone_args` of linux/sched.h, in its third version (Linux 5.7).
#[repr(C)]
#[derive(Debug, Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}
