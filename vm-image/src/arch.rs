//! What differs between the architectures of the guest.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// An architecture that the image can be built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// 64-bit x86.
    Amd64,
    /// 64-bit ARM.
    Arm64,
}

impl Arch {
    /// The name that Debian and Docker use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// The target that the guest's programs are compiled for.
    #[must_use]
    pub fn target(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-unknown-linux-gnu",
            Self::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// Debian's meta package that depends on the newest kernel for virtual machines.
    #[must_use]
    pub fn kernel_package(self) -> &'static str {
        match self {
            Self::Amd64 => "linux-image-cloud-amd64",
            Self::Arm64 => "linux-image-cloud-arm64",
        }
    }

    /// Where Debian keeps the architecture's shared libraries, below the root.
    #[must_use]
    pub fn library_dir(self) -> &'static str {
        match self {
            Self::Amd64 => "lib/x86_64-linux-gnu",
            Self::Arm64 => "lib/aarch64-linux-gnu",
        }
    }

    /// `e_machine` of its ELF files.
    #[must_use]
    pub fn elf_machine(self) -> object::elf::Machine {
        match self {
            Self::Amd64 => object::elf::EM_X86_64,
            Self::Arm64 => object::elf::EM_AARCH64,
        }
    }

    /// The linker for the guest's programs, where the host is of another architecture: Debian's cross compiler, and the
    /// variable by which cargo is told of it.
    #[must_use]
    pub fn cross_linker(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Amd64 if !cfg!(target_arch = "x86_64") => {
                Some(("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER", "x86_64-linux-gnu-gcc"))
            }
            Self::Arm64 if !cfg!(target_arch = "aarch64") => {
                Some(("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc"))
            }
            _ => None,
        }
    }
}
