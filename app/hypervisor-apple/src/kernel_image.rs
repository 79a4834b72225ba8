//! Whether VZ can boot a kernel. It is asked before the start, because VZ starts a kernel of the wrong kind and then shows
//! nothing at all.

use std::{fs::File, io, io::Read, path::Path};

use cove_machine::hypervisor::{Check, Verdict};

/// As much of a kernel as is looked at.
const HEAD: usize = 0x206;

/// Whose instructions the guest's kernel has: those of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cpu {
    /// Apple silicon.
    Arm64,
    /// Intel.
    Amd64,
}

impl Cpu {
    /// This host's.
    #[must_use]
    pub fn of_this_host() -> Self {
        if cfg!(target_arch = "aarch64") { Self::Arm64 } else { Self::Amd64 }
    }

    /// Docker's word for it.
    fn word(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::Amd64 => "amd64",
        }
    }
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Linux's Documentation/arch/arm64/booting.rst: "ARM\x64" at 0x38.
    Arm64Image,
    /// Linux's Documentation/arch/x86/boot.rst: "HdrS" at 0x202.
    BzImage,
    /// An ELF file; for which machine.
    Elf(u16),
    Gzip,
    /// An EFI program that unpacks its kernel (CONFIG_EFI_ZBOOT): "zimg" at 4.
    Zboot,
    Unknown,
}

/// `e_machine` of x86-64.
const EM_X86_64: u16 = 62;

impl Kind {
    fn of(head: &[u8]) -> Self {
        let at = |offset: usize, word: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(word));
        if at(4, b"zimg") {
            // Looked for first: such a file has an arm64 header as well.
            Self::Zboot
        } else if at(0x38, b"ARM\x64") {
            Self::Arm64Image
        } else if at(0x202, b"HdrS") {
            Self::BzImage
        } else if at(0, b"\x7fELF") {
            let machine = head.get(18..20).and_then(|bytes| bytes.try_into().ok()).map(u16::from_le_bytes);
            Self::Elf(machine.unwrap_or(0))
        } else if at(0, b"\x1f\x8b") {
            Self::Gzip
        } else {
            Self::Unknown
        }
    }

    fn boots(self, cpu: Cpu) -> bool {
        match cpu {
            Cpu::Arm64 => self == Self::Arm64Image,
            Cpu::Amd64 => matches!(self, Self::BzImage | Self::Elf(EM_X86_64)),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Arm64Image => "an arm64 kernel",
            Self::BzImage => "an x86 kernel",
            Self::Elf(EM_X86_64) => "an x86-64 ELF kernel",
            Self::Elf(_) => "an ELF file",
            Self::Gzip => "compressed with gzip",
            Self::Zboot => "a kernel that unpacks itself by EFI",
            Self::Unknown => "no kernel",
        }
    }
}

/// What is wrong with a kernel of which this is the beginning; `None` if VZ boots it.
#[must_use]
pub fn judge(path: &Path, head: &[u8], cpu: Cpu) -> Option<Check> {
    let kind = Kind::of(head);
    if kind.boots(cpu) {
        return None;
    }
    let wanted = match cpu {
        Cpu::Arm64 => "Apple silicon boots an uncompressed arm64 Image",
        Cpu::Amd64 => "an Intel Mac boots an x86-64 kernel",
    };
    Some(Check {
        name: "kernel.format".to_owned(),
        verdict: Verdict::Problem,
        finding: format!("the kernel {} is {}; {wanted}", path.display(), kind.words()),
        fix: format!("Install the {} image of Cove, or name its folder in COVE_VM_IMAGE", cpu.word()),
    })
}

/// Looks at a kernel.
///
/// # Errors
/// If it cannot be read.
pub fn look(path: &Path, cpu: Cpu) -> io::Result<Option<Check>> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(judge(path, &head, cpu))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(parts: &[(usize, &[u8])]) -> Vec<u8> {
        let mut head = vec![0; HEAD];
        for (offset, bytes) in parts {
            head[*offset..offset + bytes.len()].copy_from_slice(bytes);
        }
        head
    }

    fn judged(head: &[u8], cpu: Cpu) -> Option<String> {
        judge(Path::new("/image/vmlinux"), head, cpu).map(|check| check.finding)
    }

    #[test]
    fn each_host_boots_its_own_kernels() {
        let image = head(&[(0x38, b"ARM\x64")]);
        let bz = head(&[(0x202, b"HdrS")]);
        let elf = head(&[(0, b"\x7fELF"), (18, &EM_X86_64.to_le_bytes())]);
        assert_eq!(judged(&image, Cpu::Arm64), None);
        assert_eq!((judged(&bz, Cpu::Amd64), judged(&elf, Cpu::Amd64)), (None, None));
        for (wrong, cpu) in [(&bz, Cpu::Arm64), (&elf, Cpu::Arm64), (&image, Cpu::Amd64)] {
            assert!(judged(wrong, cpu).is_some());
        }
    }

    #[test]
    fn a_compressed_kernel_is_named_as_what_it_is() {
        let gzip = judged(b"\x1f\x8b\x08\x00", Cpu::Arm64).unwrap();
        assert!(gzip.contains("/image/vmlinux is compressed with gzip") && gzip.contains("uncompressed"), "{gzip}");
        let zboot = judged(&head(&[(4, b"zimg"), (0x38, b"ARM\x64")]), Cpu::Arm64).unwrap();
        assert!(zboot.contains("EFI"), "{zboot}");
        assert!(judged(b"", Cpu::Arm64).unwrap().contains("no kernel"));
    }

    #[test]
    fn a_kernel_is_looked_at_where_it_lies() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vmlinux");
        std::fs::write(&path, head(&[(0x38, b"ARM\x64")])).unwrap();
        assert_eq!(look(&path, Cpu::Arm64).unwrap(), None);
        assert_eq!(look(&dir.path().join("none"), Cpu::Arm64).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
