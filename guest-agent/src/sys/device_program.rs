//! bpf(2), as far as the device filter of a cgroup needs it.
#![expect(unsafe_code, reason = "no crate in use wraps bpf")]

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use rustix::io::Errno;

/// One instruction: `struct bpf_insn`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Operation.
    pub code: u8,
    /// Destination in the low four bits, source in the high ones.
    pub registers: u8,
    /// Offset of a jump or a load.
    pub offset: i16,
    /// Immediate value.
    pub immediate: i32,
}

const PROG_LOAD: libc::c_int = 5;
const PROG_ATTACH: libc::c_int = 8;
const PROG_QUERY: libc::c_int = 16;
const TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_CGROUP_DEVICE: u32 = 6;
const ALLOW_MULTI: u32 = 2;

/// Loads a program of type BPF_PROG_TYPE_CGROUP_DEVICE.
///
/// # Errors
/// EACCES when the verifier refuses it.
pub fn load(program: &[Instruction]) -> Result<OwnedFd, Errno> {
    let licence = c"Dual MIT/GPL";
    let attributes = Load {
        kind: TYPE_CGROUP_DEVICE,
        instruction_count: u32::try_from(program.len()).map_err(|_| Errno::INVAL)?,
        instructions: program.as_ptr().addr() as u64,
        licence: licence.as_ptr().addr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
    };
    let number = bpf(PROG_LOAD, &attributes)?;
    // SAFETY: the kernel has just made the descriptor, for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(i32::try_from(number).map_err(|_| Errno::OVERFLOW)?) })
}

/// Attaches a device program to a cgroup, and makes sure that it is in force.
///
/// # Errors
/// What the kernel says; EIO when it says yes and has attached nothing.
pub fn attach(program: impl AsFd, cgroup: impl AsFd) -> Result<(), Errno> {
    let raw = |fd: &dyn AsFd| u32::try_from(fd.as_fd().as_raw_fd()).map_err(|_| Errno::BADF);
    let cgroup = raw(&cgroup)?;
    let attributes =
        Attach { target: cgroup, program: raw(&program)?, kind: ATTACH_CGROUP_DEVICE, flags: ALLOW_MULTI, replaces: 0 };
    bpf(PROG_ATTACH, &attributes)?;
    let mut ids = [0_u32; 8];
    let mut query = Query {
        target: cgroup,
        kind: ATTACH_CGROUP_DEVICE,
        query_flags: 0,
        attach_flags: 0,
        ids: ids.as_mut_ptr().addr() as u64,
        count: 8,
        padding: 0,
    };
    bpf_mut(PROG_QUERY, &mut query)?;
    if query.count == 0 { Err(Errno::IO) } else { Ok(()) }
}

fn bpf<A>(command: libc::c_int, attributes: &A) -> Result<libc::c_long, Errno> {
    // SAFETY: the attributes are the kernel's for this command, of the size given, and what they point at outlives the
    // call (it is borrowed by the callers).
    super::checked(unsafe {
        libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), std::mem::size_of::<A>())
    })
}

fn bpf_mut<A>(command: libc::c_int, attributes: &mut A) -> Result<libc::c_long, Errno> {
    // SAFETY: as in `bpf`; the kernel writes its answer into the structure.
    super::checked(unsafe {
        libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attributes), std::mem::size_of::<A>())
    })
}

#[repr(C)]
struct Load {
    kind: u32,
    instruction_count: u32,
    instructions: u64,
    licence: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

#[repr(C)]
struct Attach {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
    replaces: u32,
}

#[repr(C)]
struct Query {
    target: u32,
    kind: u32,
    query_flags: u32,
    attach_flags: u32,
    ids: u64,
    count: u32,
    padding: u32,
}
