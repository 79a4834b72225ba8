//! Which modules the guest loads, and in which order.
//!
//! A module says in its section .modinfo which others it depends on ("depends") and which should be there before it
//! ("softdep"); that is all depmod knows too. PID 1 loads the result one by one and then forbids any more.

use std::{collections::BTreeMap, io::Read};

use anyhow::{Context, Result, bail};
use lzma_rust2::XzReader;

use crate::{arch::Arch, debian::deb::Contents, elf};

/// What the guest needs of the kernel that Debian does not build in; what is needed first comes first.
const FIRST: [&str; 2] = [
    "virtio_blk", // the data disk
    "vsock",      // the way to the host
];
const THEN: [&str; 15] = [
    "vmw_vsock_virtio_transport", // the way to the host on virtio
    "ext4",                       // the data disk's file system
    "overlay",                    // root file systems of containers
    "virtio_balloon",             // gives freed memory back to the host
    "virtio-rng",                 // random bytes at boot
    "veth",                       // networks of containers
    "bridge",                     // ... and what joins them
    "nft_chain_nat",              // rules that keep networks apart and lead to the name server
    "nft_nat",                    // ... and what these lead by
    "nft_queue",                  // connections to the outside, held until the host has made them
    "nfnetlink_queue",            // ... by the agent
    "nft_tproxy",                 // ... which is then whom they reach
    "nft_fib_inet",               // what is outside, by the routes
    "nft_reject_inet",            // the host's errors, for who wanted to connect
    "dummy",                      // the link that leads outside
];

/// Tell QEMU of a panic.
const PANIC: [&str; 2] = ["pvpanic", "pvpanic-pci"];

/// The bus of Hyper-V's devices: its driver finds it on Hyper-V alone.
const HYPER_V_BUS: &str = "hv_vmbus";
const HYPER_V: [&str; 3] = [
    "hv_storvsc", // the data disk is on a SCSI controller
    "sd_mod",     // ... and is a SCSI disk
    "hv_sock",    // the way to the host
];

/// Modules that are wanted, and the one without which they are not loaded.
struct Group {
    only_with: Option<&'static str>,
    names: &'static [&'static str],
}

/// What an architecture wants, in order. The kernel keeps the first way to the host that it gets, and virtio's takes its
/// place without a device too, so Hyper-V's comes before it. Debian's arm64 cloud kernel has no driver for QEMU's panic
/// device, nor has a Mac such a device; and Hyper-V boots Linux as Cove does on amd64 alone.
fn wanted_on(arch: Arch) -> Vec<Group> {
    let always = |names| Group { only_with: None, names };
    match arch {
        Arch::Amd64 => {
            vec![always(&FIRST), Group { only_with: Some(HYPER_V_BUS), names: &HYPER_V }, always(&THEN), always(&PANIC)]
        }
        Arch::Arm64 => vec![always(&FIRST), always(&THEN)],
    }
}

/// What a container must not find, whatever comes to depend on it: AF_ALG has a long history of holes, and over a vsock
/// loopback a container would reach the agent's ports.
const REFUSED: [&str; 3] = ["af_alg", "vsock_loopback", "vsock_diag"];

/// A module for the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its file name, `virtio_blk.ko`.
    pub file_name: String,
    /// The module, uncompressed.
    pub bytes: Vec<u8>,
    /// The file name of the module without which this one is not loaded.
    pub only_with: Option<String>,
}

impl Module {
    /// Its line in PID 1's list: `hv_sock.ko`, or `hv_vmbus.ko: hv_sock.ko`.
    #[must_use]
    pub fn line(&self) -> String {
        let condition = self.only_with.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        condition + &self.file_name
    }
}

/// Takes the modules for the guest out of a kernel package.
///
/// # Errors
/// If the kernel lacks one, or one is damaged, or one that must not be there would be loaded.
pub fn choose(contents: &Contents, release: &str, arch: Arch) -> Result<Vec<Module>> {
    let builtin = contents
        .file(&format!("lib/modules/{release}/modules.builtin"))
        .with_context(|| format!("kernel {release} has no modules.builtin"))?;
    let builtin = String::from_utf8_lossy(builtin).lines().map(name_of).collect();
    let paths = contents.paths().filter(|path| path.contains(".ko")).map(|path| (name_of(path), path)).collect();
    let mut plan = Plan { builtin, paths, contents, chosen: Vec::new(), open: Vec::new(), only_with: None };
    for group in wanted_on(arch) {
        plan.add_group(&group)?;
    }
    Ok(plan.chosen.into_iter().map(|(_, module)| module).collect())
}

struct Plan<'a> {
    builtin: Vec<String>,
    paths: BTreeMap<String, &'a str>,
    contents: &'a Contents,
    chosen: Vec<(String, Module)>,
    /// Modules whose dependencies are being added.
    open: Vec<String>,
    /// The condition of what is being added.
    only_with: Option<String>,
}

impl Plan<'_> {
    fn add_group(&mut self, group: &Group) -> Result<()> {
        let needed = |name: &str| format!("the guest needs the kernel module {name}");
        if let Some(condition) = group.only_with {
            self.add(condition).with_context(|| needed(condition))?;
            // One that is built in is no condition; drivers see for themselves that it has no devices.
            self.only_with = self.chosen(condition).map(|module| module.file_name.clone());
        }
        for name in group.names {
            self.add(&name_of(name)).with_context(|| needed(name))?;
        }
        self.only_with = None;
        Ok(())
    }

    fn chosen(&self, name: &str) -> Option<&Module> {
        self.chosen.iter().find(|(known, _)| known == name).map(|(_, module)| module)
    }

    fn add(&mut self, name: &str) -> Result<()> {
        if self.builtin.iter().any(|known| known == name) {
            return Ok(());
        }
        if let Some(Module { only_with, .. }) = self.chosen(name) {
            match only_with {
                Some(condition) if self.only_with.is_none() => {
                    bail!("module {name} is needed everywhere, but would be loaded with {condition} alone")
                }
                _ => return Ok(()),
            }
        }
        if REFUSED.contains(&name) || name.starts_with("algif_") {
            bail!("module {name} must not come into the guest");
        }
        if self.open.iter().any(|known| known == name) {
            bail!("modules depend on each other in a circle: {} {name}", self.open.join(" "));
        }
        let path = *self.paths.get(name).with_context(|| format!("there is no module {name}"))?;
        let bytes = self.uncompressed(path)?;
        let info = Info::parse(&bytes).with_context(|| format!("read {path}"))?;
        self.open.push(name.to_owned());
        for dependency in info.depends {
            self.add(&dependency).with_context(|| format!("{name} depends on it"))?;
        }
        for dependency in info.before {
            // A soft dependency is used where it exists.
            if self.paths.contains_key(&dependency) {
                self.add(&dependency).with_context(|| format!("{name} wants it first"))?;
            }
        }
        self.open.pop();
        let file = path.rsplit('/').next().unwrap_or(path);
        let file_name = file.split_once(".ko").map_or(file, |(stem, _)| stem).to_owned() + ".ko";
        self.chosen.push((name.to_owned(), Module { file_name, bytes, only_with: self.only_with.clone() }));
        Ok(())
    }

    fn uncompressed(&self, path: &str) -> Result<Vec<u8>> {
        let bytes = self.contents.file(path).with_context(|| format!("{path} is missing"))?;
        if path.ends_with(".ko") {
            return Ok(bytes.to_vec());
        }
        if !path.ends_with(".ko.xz") {
            bail!("{path} is compressed in a way that is not known here");
        }
        let mut plain = Vec::new();
        XzReader::new(bytes, false).read_to_end(&mut plain).with_context(|| format!("uncompress {path}"))?;
        Ok(plain)
    }
}

/// The name of the module in a file: dashes are the same as underscores.
fn name_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split_once(".ko").map_or(file, |(stem, _)| stem).replace('-', "_")
}

/// What a module says about others.
#[derive(Debug, Default, PartialEq, Eq)]
struct Info {
    depends: Vec<String>,
    before: Vec<String>,
}

impl Info {
    fn parse(module: &[u8]) -> Result<Self> {
        let section = elf::section(module, ".modinfo")?.context("not a kernel module")?;
        Ok(Self::from_section(section))
    }

    /// The section is "key=value" strings that end in a zero byte.
    fn from_section(section: &[u8]) -> Self {
        let mut info = Self::default();
        for entry in section.split(|&byte| byte == 0) {
            let entry = String::from_utf8_lossy(entry);
            match entry.split_once('=') {
                Some(("depends", names)) => {
                    info.depends.extend(names.split(',').filter(|name| !name.is_empty()).map(name_of));
                }
                // "pre: a b post: c"
                Some(("softdep", text)) => {
                    let mut before = false;
                    for word in text.split_whitespace() {
                        match word {
                            "pre:" => before = true,
                            "post:" => before = false,
                            name if before => info.before.push(name_of(name)),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        info
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF file with nothing but a section .modinfo.
    fn module(modinfo: &str) -> Vec<u8> {
        let names = b"\0.modinfo\0.shstrtab\0";
        let mut bytes = crate::elf::static_program();
        let info_at = bytes.len();
        bytes.extend_from_slice(modinfo.as_bytes());
        let names_at = bytes.len();
        bytes.extend_from_slice(names);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        let table = bytes.len() as u64;
        for (name, kind, at, size) in [(0, 0, 0, 0), (1, 1, info_at, modinfo.len()), (10, 3, names_at, names.len())] {
            let mut header = [0; 64];
            header[0] = name;
            header[4] = kind;
            header[24..32].copy_from_slice(&(at as u64).to_le_bytes());
            header[32..40].copy_from_slice(&(size as u64).to_le_bytes());
            bytes.extend_from_slice(&header);
        }
        bytes[40..48].copy_from_slice(&table.to_le_bytes());
        bytes[58] = 64; // size of a section header
        bytes[60] = 3; // number of sections
        bytes[62] = 2; // the one with names
        bytes
    }

    fn plan(modules: &[(&str, &str)], builtin: &[&str], wanted: &str) -> Result<Vec<String>> {
        lines(modules, builtin, |plan| plan.add(wanted))
    }

    fn groups(
        modules: &[(&str, &str)],
        builtin: &[&str],
        groups: &[(Option<&'static str>, &'static [&'static str])],
    ) -> Result<Vec<String>> {
        lines(modules, builtin, |plan| {
            groups.iter().try_for_each(|&(only_with, names)| plan.add_group(&Group { only_with, names }))
        })
    }

    fn lines(
        modules: &[(&str, &str)],
        builtin: &[&str],
        add: impl FnOnce(&mut Plan<'_>) -> Result<()>,
    ) -> Result<Vec<String>> {
        let files = modules.iter().map(|(name, info)| (format!("lib/modules/1/{name}.ko"), module(info)));
        let contents = Contents::of_files(files);
        let paths = contents.paths().map(|path| (name_of(path), path)).collect();
        let builtin = builtin.iter().map(|&name| name.to_owned()).collect();
        let mut plan =
            Plan { builtin, paths, contents: &contents, chosen: Vec::new(), open: Vec::new(), only_with: None };
        add(&mut plan)?;
        Ok(plan.chosen.into_iter().map(|(_, module)| module.line()).collect())
    }

    #[test]
    fn a_bus_is_the_condition_of_its_drivers_and_of_what_they_alone_need() {
        let modules =
            [("vsock", ""), ("bus", ""), ("scsi", ""), ("disk", "depends=scsi,bus\0"), ("sock", "depends=bus,vsock\0")];
        let wanted: [(_, &'static [&'static str]); 2] = [(None, &["vsock"]), (Some("bus"), &["disk", "sock"])];
        let lines = groups(&modules, &[], &wanted).unwrap();
        assert_eq!(lines, ["vsock.ko", "bus.ko", "bus.ko: scsi.ko", "bus.ko: disk.ko", "bus.ko: sock.ko"]);
        let lines = groups(&modules, &["bus"], &wanted).unwrap();
        assert_eq!(lines, ["vsock.ko", "scsi.ko", "disk.ko", "sock.ko"]);
    }

    #[test]
    fn what_is_needed_everywhere_may_not_depend_on_a_bus() {
        let modules = [("bus", ""), ("scsi", "depends=bus\0"), ("other", "depends=scsi\0")];
        let wanted: [(_, &'static [&'static str]); 2] = [(Some("bus"), &["scsi"]), (None, &["other"])];
        let error = format!("{:#}", groups(&modules, &[], &wanted).unwrap_err());
        assert!(error.ends_with("scsi is needed everywhere, but would be loaded with bus.ko alone"), "{error}");
    }

    #[test]
    fn what_a_module_needs_is_loaded_before_it_and_once() {
        let modules = [
            ("transport-virtio", "license=GPL\0depends=common,vsock\0"),
            ("common", "depends=vsock\0"),
            ("vsock", "depends=\0"),
        ];
        let order = plan(&modules, &[], "transport_virtio").unwrap();
        assert_eq!(order, ["vsock.ko", "common.ko", "transport-virtio.ko"]);
    }

    #[test]
    fn soft_dependencies_are_loaded_first_where_they_exist() {
        let modules = [("fs", "softdep=pre: crc absent post: later\0"), ("crc", ""), ("later", "")];
        assert_eq!(plan(&modules, &[], "fs").unwrap(), ["crc.ko", "fs.ko"]);
    }

    #[test]
    fn what_is_built_in_is_not_loaded() {
        let modules = [("fs", "depends=crc\0"), ("crc", "")];
        assert_eq!(plan(&modules, &["crc"], "fs").unwrap(), ["fs.ko"]);
        assert!(plan(&modules, &["fs"], "fs").unwrap().is_empty());
    }

    #[test]
    fn missing_circular_and_refused_modules_are_errors() {
        let chain = |error: anyhow::Error| format!("{error:#}");
        let missing = chain(plan(&[("a", "depends=b\0")], &[], "a").unwrap_err());
        assert_eq!(missing, "a depends on it: there is no module b");
        let circle = chain(plan(&[("a", "depends=b\0"), ("b", "depends=a\0")], &[], "a").unwrap_err());
        assert!(circle.ends_with("in a circle: a b a"), "{circle}");
        let refused = chain(plan(&[("a", "depends=af_alg\0"), ("af_alg", "")], &[], "a").unwrap_err());
        assert!(refused.ends_with("module af_alg must not come into the guest"), "{refused}");
    }
}
