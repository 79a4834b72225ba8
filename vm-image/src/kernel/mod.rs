//! The kernel of the guest: uncompressed (unless asked otherwise), out of what Debian ships ([`bzimage`] on amd64, [`image`] on arm64), and the
//! modules that are loaded, in an order in which they can be ([`modules`]).

pub mod bzimage;
pub mod image;
pub mod modules;

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context, Result, bail};

use crate::{arch::Arch, debian::deb::Contents, elf};
use modules::Module;

/// A kernel, ready for the guest.
#[derive(Debug)]
pub struct Kernel {
    /// What `uname -r` will say.
    pub release: String,
    /// The kernel: an Image on arm64; on amd64 an ELF file, or if it was to stay compressed a bzImage.
    pub vmlinux: Vec<u8>,
    /// The modules that are loaded, in that order.
    pub modules: Vec<Module>,
}

impl Kernel {
    /// Takes a kernel out of Debian's package.
    ///
    /// # Errors
    /// If the package is damaged, or the kernel cannot be started by QEMU or lacks a module.
    pub fn read(deb: &Path, arch: Arch, compressed: bool) -> Result<Self> {
        let wanted = |path: &str| path.starts_with("boot/vmlinuz-") || path.starts_with("lib/modules/");
        let contents = Contents::read(deb, wanted)?;
        let release = release(&contents).with_context(|| format!("unpack {}", deb.display()))?;
        let shipped = contents.file(&format!("boot/vmlinuz-{release}")).context("the package has no vmlinuz")?;
        let vmlinux = match arch {
            // It is unpacked in any case, to see that it is what we take it for.
            Arch::Amd64 => match pvh_kernel(shipped, &release)? {
                _ if compressed => shipped.to_vec(),
                vmlinux => vmlinux,
            },
            Arch::Arm64 => image::checked(shipped).context("take the kernel")?,
        };
        let modules = modules::choose(&contents, &release, arch)?;
        Ok(Self { release, vmlinux, modules })
    }
}

fn pvh_kernel(compressed: &[u8], release: &str) -> Result<Vec<u8>> {
    let vmlinux = bzimage::vmlinux(compressed).context("uncompress the kernel")?;
    if !elf::has_pvh_entry(&vmlinux)? {
        bail!("kernel {release} has no PVH entry, by which QEMU starts it");
    }
    Ok(vmlinux)
}

fn release(contents: &Contents) -> Result<String> {
    let releases: BTreeSet<&str> = contents.paths().filter_map(|path| path.strip_prefix("boot/vmlinuz-")).collect();
    match releases.into_iter().collect::<Vec<_>>().as_slice() {
        [release] => Ok((*release).to_owned()),
        found => bail!("one kernel expected, found {found:?}"),
    }
}
