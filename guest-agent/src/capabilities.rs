//! Capabilities: their names, Docker's defaults, and what a process keeps of them.
//!
//! A set is a `u64` of which bit n is capability n.

use rustix::{
    io::Errno,
    thread::{CapabilitySet, CapabilitySets},
};

/// CAP_DAC_READ_SEARCH.
pub const DAC_READ_SEARCH: u32 = 2;
/// CAP_SYS_MODULE.
pub const SYS_MODULE: u32 = 16;
/// CAP_SYS_RAWIO.
pub const SYS_RAWIO: u32 = 17;
/// CAP_SYS_CHROOT.
pub const SYS_CHROOT: u32 = 18;
/// CAP_SYS_PTRACE.
pub const SYS_PTRACE: u32 = 19;
/// CAP_SYS_PACCT.
pub const SYS_PACCT: u32 = 20;
/// CAP_SYS_ADMIN.
pub const SYS_ADMIN: u32 = 21;
/// CAP_SYS_BOOT.
pub const SYS_BOOT: u32 = 22;
/// CAP_SYS_NICE.
pub const SYS_NICE: u32 = 23;
/// CAP_SYS_TIME.
pub const SYS_TIME: u32 = 25;
/// CAP_SYS_TTY_CONFIG.
pub const SYS_TTY_CONFIG: u32 = 26;
/// CAP_SYSLOG.
pub const SYSLOG: u32 = 34;
/// CAP_PERFMON.
pub const PERFMON: u32 = 38;
/// CAP_BPF.
pub const BPF: u32 = 39;

/// Docker's default set: CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE
/// SYS_CHROOT KILL AUDIT_WRITE.
pub const DEFAULT: u64 = 0xa804_25fb;

/// Every capability that the guest's kernel has.
pub const ALL: u64 = (1 << NAMES.len()) - 1;

/// By number, without "CAP_".
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// The number of a capability by its name, with or without "CAP_", in any case.
#[must_use]
pub fn by_name(name: &str) -> Option<u32> {
    let upper = name.to_ascii_uppercase();
    let short = upper.strip_prefix("CAP_").unwrap_or(&upper);
    NAMES.iter().position(|known| *known == short).and_then(|number| u32::try_from(number).ok())
}

/// The names in a set, with "CAP_", in order of their numbers.
#[must_use]
pub fn names(set: u64) -> Vec<String> {
    let numbered = (0_u32..).zip(NAMES);
    numbered.filter(|(number, _)| contains(set, *number)).map(|(_, name)| format!("CAP_{name}")).collect()
}

/// Whether a set has a capability.
#[must_use]
pub const fn contains(set: u64, number: u32) -> bool {
    set & (1 << number) != 0
}

/// Takes everything outside the set out of the bounding set, so that no program can give it back.
///
/// # Errors
/// EPERM without CAP_SETPCAP.
pub fn bound(set: u64) -> Result<(), Errno> {
    for number in (0..64).filter(|number| !contains(set, *number)) {
        let one = CapabilitySet::from_bits_retain(1 << number);
        match rustix::thread::remove_capability_from_bounding_set(one) {
            Ok(()) => {}
            // The kernel has none of that number, nor of a higher one.
            Err(Errno::INVAL) if number >= NAMES.len() as u32 => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Keeps exactly the set, permitted and effective. Nothing is inheritable or ambient (CVE-2022-24769).
///
/// # Errors
/// EPERM when the set has what the process has not.
pub fn keep(set: u64) -> Result<(), Errno> {
    rustix::thread::clear_ambient_capability_set()?;
    let set = CapabilitySet::from_bits_retain(set);
    let sets = CapabilitySets { effective: set, permitted: set, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_agree() {
        for (name, number) in [("CHOWN", 0), ("cap_sys_admin", SYS_ADMIN), ("SYSLOG", SYSLOG), ("CAP_BPF", BPF)] {
            assert_eq!(by_name(name), Some(number));
        }
        assert_eq!(by_name("CAP_CAP_CHOWN"), None);
        assert_eq!(by_name(""), None);
    }

    #[test]
    fn the_default_set_is_dockers() {
        let mut names = names(DEFAULT);
        names.sort();
        let docker = "CAP_AUDIT_WRITE CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_KILL CAP_MKNOD \
                      CAP_NET_BIND_SERVICE CAP_NET_RAW CAP_SETFCAP CAP_SETGID CAP_SETPCAP CAP_SETUID CAP_SYS_CHROOT";
        assert_eq!(names.join(" "), docker);
    }
}
