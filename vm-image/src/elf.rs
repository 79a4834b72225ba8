//! The few facts that are read from ELF files.

use anyhow::{Context, Result, bail};
use object::{
    Endianness, Object, ObjectSection,
    elf::{DT_NEEDED, FileHeader64, NoteType},
    read::elf::{ElfFile64, FileHeader, ProgramHeader},
};

use crate::arch::Arch;

/// What a program or library needs before it runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dependencies {
    /// The dynamic loader, an absolute path; `None` in libraries and static programs.
    pub interpreter: Option<String>,
    /// File names of shared libraries, in the order of the file.
    pub libraries: Vec<String>,
}

/// What an executable or a shared library needs.
///
/// # Errors
/// If it is no ELF file of the architecture.
pub fn dependencies(bytes: &[u8], arch: Arch) -> Result<Dependencies> {
    let elf = parse(bytes)?;
    let (header, endian) = (elf.elf_header(), elf.endian());
    if header.e_machine(endian) != arch.elf_machine() {
        bail!("not for {}", arch.name());
    }
    let mut interpreter = None;
    for segment in elf.elf_program_headers() {
        if let Some(path) = segment.interpreter(endian, bytes)? {
            interpreter = Some(String::from_utf8(path.to_vec()).context("its interpreter is not UTF-8")?);
        }
    }
    let table = elf.elf_dynamic_table()?;
    let libraries = table
        .iter()
        .filter(|entry| entry.tag == DT_NEEDED)
        .map(|entry| {
            let name = table.string(entry)?;
            String::from_utf8(name.to_vec()).context("the name of a needed library is not UTF-8")
        })
        .collect::<Result<_>>()?;
    Ok(Dependencies { interpreter, libraries })
}

/// Checks that a program needs nothing but the kernel.
///
/// # Errors
/// If it is no ELF file of the architecture, or needs a loader or libraries.
pub fn require_static(bytes: &[u8], arch: Arch) -> Result<()> {
    let needs = dependencies(bytes, arch)?;
    match needs.interpreter.or(needs.libraries.into_iter().next()) {
        Some(needed) => bail!("not a static executable: it needs {needed}"),
        None => Ok(()),
    }
}

/// The bytes of a section, if the file has one of this name.
///
/// # Errors
/// If it is no ELF file, or the section lies outside it.
pub fn section<'a>(bytes: &'a [u8], name: &str) -> Result<Option<&'a [u8]>> {
    parse(bytes)?.section_by_name(name).map(|section| section.data().map_err(Into::into)).transpose()
}

/// Whether a kernel has the PVH entry by which QEMU starts an uncompressed kernel: an ELF note of Xen's with the
/// physical address to jump to (XEN_ELFNOTE_PHYS32_ENTRY).
///
/// # Errors
/// If it is no ELF file.
pub fn has_pvh_entry(bytes: &[u8]) -> Result<bool> {
    const PHYS32_ENTRY: NoteType = NoteType(18);
    let elf = parse(bytes)?;
    let endian = elf.endian();
    for segment in elf.elf_program_headers() {
        let Some(mut notes) = segment.notes(endian, bytes)? else { continue };
        while let Some(note) = notes.next()? {
            if note.name() == b"Xen" && note.n_type(endian) == PHYS32_ENTRY {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn parse(bytes: &[u8]) -> Result<ElfFile64<'_, Endianness>> {
    // Checked first, because the parser would take a truncated file for one of another format.
    FileHeader64::<Endianness>::parse(bytes).context("not a 64-bit ELF file")?;
    ElfFile64::parse(bytes).context("broken ELF file")
}

/// The smallest ELF file that is a static executable by its headers.
#[cfg(test)]
pub(crate) fn static_program() -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1]);
    bytes[16] = 2; // ET_EXEC
    bytes[18] = 62; // EM_X86_64
    bytes[20] = 1; // version
    bytes[52] = 64; // size of this header
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_program() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn a_dynamic_program_names_its_loader_and_libraries() {
        let needs = dependencies(&own_program(), Arch::Amd64).unwrap();
        assert!(needs.interpreter.unwrap().contains("ld-linux"));
        assert!(needs.libraries.contains(&"libc.so.6".to_owned()), "{:?}", needs.libraries);
        let refused = require_static(&own_program(), Arch::Amd64).unwrap_err();
        assert!(refused.to_string().starts_with("not a static executable: it needs /lib"), "{refused}");
    }

    #[test]
    fn a_program_without_loader_and_libraries_is_static() {
        require_static(&static_program(), Arch::Amd64).unwrap();
        assert_eq!(dependencies(&static_program(), Arch::Amd64).unwrap(), Dependencies::default());
    }

    #[test]
    fn another_architecture_is_refused() {
        let mut bytes = static_program();
        bytes[18] = 183;
        assert_eq!(require_static(&bytes, Arch::Amd64).unwrap_err().to_string(), "not for amd64");
    }

    #[test]
    fn what_is_no_elf_or_only_a_part_of_one_is_an_error() {
        assert!(dependencies(b"#!/bin/sh\n", Arch::Amd64).is_err());
        let whole = own_program();
        for length in [4, 63, 64, 200, whole.len() / 2] {
            assert!(dependencies(&whole[..length], Arch::Amd64).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn sections_are_found_by_name() {
        assert!(section(&own_program(), ".text").unwrap().unwrap().len() > 1000);
        assert!(section(&own_program(), ".modinfo").unwrap().is_none());
    }

    #[test]
    fn only_a_kernel_has_a_pvh_entry() {
        assert!(!has_pvh_entry(&own_program()).unwrap());
    }
}
