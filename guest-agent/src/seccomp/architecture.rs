//! The architectures whose system calls a process may make on a kernel: its own, and the one it was before 64 bits.

use super::numbers::NUMBERS;

/// An architecture of system calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// AMD64.
    X86_64,
    /// Its 32-bit predecessor, for images of that kind.
    I386,
    /// ARM64.
    Aarch64,
}

impl Architecture {
    /// Those that programs may use on this machine's kernel.
    #[must_use]
    pub fn here() -> &'static [Self] {
        if cfg!(target_arch = "aarch64") { &[Self::Aarch64] } else { &[Self::X86_64, Self::I386] }
    }

    /// By libseccomp's word for it.
    pub(super) fn by_word(word: &str) -> Option<Self> {
        match word {
            "SCMP_ARCH_X86_64" => Some(Self::X86_64),
            "SCMP_ARCH_X86" => Some(Self::I386),
            "SCMP_ARCH_AARCH64" => Some(Self::Aarch64),
            _ => None,
        }
    }

    /// AUDIT_ARCH_*, as the kernel tells it to a filter.
    #[must_use]
    pub fn audit_number(self) -> u32 {
        match self {
            Self::X86_64 => 0xc000_003e,
            Self::I386 => 0x4000_0003,
            Self::Aarch64 => 0xc000_00b7,
        }
    }

    /// The number of a system call; `None` when this architecture has none of that name.
    pub(super) fn number(self, name: &str) -> Option<u32> {
        let index = NUMBERS.binary_search_by(|row| row.0.cmp(name)).ok()?;
        let (_, x86_64, i386, aarch64) = NUMBERS[index];
        let number = match self {
            Self::X86_64 => x86_64,
            Self::I386 => i386,
            Self::Aarch64 => aarch64,
        };
        u32::try_from(number).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_so_that_the_search_finds_them() {
        assert!(NUMBERS.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_numbers_are_those_of_the_c_library() {
        for (name, number) in [
            ("read", libc::SYS_read),
            ("socket", libc::SYS_socket),
            ("clone3", libc::SYS_clone3),
            ("personality", libc::SYS_personality),
            ("mseal", libc::SYS_mseal),
        ] {
            assert_eq!(Architecture::X86_64.number(name).map(i64::from), Some(number), "{name}");
        }
        assert_eq!(Architecture::I386.number("socketcall"), Some(102));
        assert_eq!(Architecture::X86_64.number("socketcall"), None);
        assert_eq!(Architecture::Aarch64.number("socket"), Some(198));
    }
}
