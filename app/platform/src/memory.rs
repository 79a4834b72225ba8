//! The host's memory.

use std::io;

/// Bytes of memory that this host has, used or not.
///
/// # Errors
/// If the system does not say.
pub fn total_bytes() -> io::Result<u64> {
    imp::total_bytes()
}

#[cfg(target_os = "linux")]
mod imp {
    use std::{fs, io};

    pub(super) fn total_bytes() -> io::Result<u64> {
        parse(&fs::read_to_string("/proc/meminfo")?)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no MemTotal in /proc/meminfo"))
    }

    /// proc(5): "MemTotal:       16384256 kB", where kB means KiB.
    pub(super) fn parse(meminfo: &str) -> Option<u64> {
        let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    }
}

#[cfg(target_vendor = "apple")]
mod imp {
    #![expect(unsafe_code, reason = "sysctl has no safe face in the standard library")]

    use std::{io, mem, ptr};

    pub(super) fn total_bytes() -> io::Result<u64> {
        let mut bytes = 0_u64;
        let mut length = mem::size_of::<u64>();
        // SAFETY: the name ends with a zero; the buffer is `length` bytes of a u64, which is what hw.memsize is.
        let failed = unsafe {
            libc::sysctlbyname(
                c"hw.memsize".as_ptr(),
                ptr::from_mut(&mut bytes).cast(),
                &raw mut length,
                ptr::null_mut(),
                0,
            )
        };
        if failed == 0 { Ok(bytes) } else { Err(io::Error::last_os_error()) }
    }
}

#[cfg(windows)]
mod imp {
    #![expect(unsafe_code, reason = "Windows' own functions have no safe face in the standard library")]

    use std::{io, mem};

    use windows_sys::Win32::System::SystemInformation::{GlobalMemoryStatusEx, MEMORYSTATUSEX};

    pub(super) fn total_bytes() -> io::Result<u64> {
        let mut status = MEMORYSTATUSEX { dwLength: mem::size_of::<MEMORYSTATUSEX>() as u32, ..Default::default() };
        // SAFETY: the structure is ours for the length of the call and says how long it is.
        let done = unsafe { GlobalMemoryStatusEx(&raw mut status) };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(status.ullTotalPhys) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_memory() {
        assert!(total_bytes().unwrap() > 1 << 26);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn meminfo_is_in_kib() {
        assert_eq!(imp::parse("MemTotal:       16384256 kB\nMemFree: 1 kB\n"), Some(16_384_256 * 1024));
        assert_eq!(imp::parse("MemFree: 1 kB\n"), None);
    }
}
