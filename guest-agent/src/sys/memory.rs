//! What the C library does with memory that was given back.
#![expect(unsafe_code, reason = "no crate wraps mallopt")]

/// Allocations from this size on go back to the kernel at once.
const LARGE: libc::c_int = 1 << 20;

/// Has large allocations be mappings of their own for good. Otherwise glibc takes the size of what was freed for what will be
/// wanted again, up to 32 MiB, and keeps so much for each thread that once unpacked a layer.
pub fn give_large_back() {
    // SAFETY: mallopt only sets a parameter of the allocator, under its own lock.
    let is_set = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) } == 1;
    debug_assert!(is_set, "glibc knows the parameter");
}
