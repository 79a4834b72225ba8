//! The programs that make, check and grow the data disk: e2fsprogs, with exactly the shared libraries that they need.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use crate::{
    arch::Arch,
    debian::{deb::Contents, fetch::Packages, lock::Package},
    elf,
};

/// The package that the programs come from; what it depends on is fetched with it.
pub const PACKAGE: &str = "e2fsprogs";

const PROGRAMS: [&str; 3] = ["sbin/mke2fs", "sbin/e2fsck", "sbin/resize2fs"];
/// The defaults of mke2fs for each type of file system, without which "-t ext4" makes something else.
const SETTINGS: &str = "etc/mke2fs.conf";

/// Files for the guest and where they come from.
#[derive(Debug, Default)]
pub struct DiskTools {
    /// Permissions and bytes by path.
    pub files: BTreeMap<String, (u32, Vec<u8>)>,
    /// The packages that a file was taken from.
    pub packages: Vec<Package>,
}

impl DiskTools {
    /// Takes them out of packages.
    ///
    /// # Errors
    /// If a package is damaged, or a program or library is in none of them.
    pub fn read(packages: &Packages, arch: Arch) -> Result<Self> {
        let mut sources = Vec::new();
        for package in &packages.lock.packages {
            let wanted = |path: &str| PROGRAMS.contains(&path) || path == SETTINGS || path.starts_with("lib");
            sources.push((package.clone(), Contents::read(&packages.verified(package)?, wanted)?));
        }
        collect(&sources, arch)
    }
}

fn collect(sources: &[(Package, Contents)], arch: Arch) -> Result<DiskTools> {
    let mut tools = DiskTools::default();
    let mut used = BTreeSet::new();
    let mut open: Vec<String> = PROGRAMS.iter().map(|&path| path.to_owned()).collect();
    open.push(SETTINGS.to_owned());
    while let Some(path) = open.pop() {
        if tools.files.contains_key(&path) {
            continue;
        }
        let found = sources.iter().enumerate().find_map(|(at, (_, contents))| Some((at, contents.file(&path)?)));
        let (at, bytes) = found.with_context(|| format!("no package has {path}"))?;
        used.insert(at);
        if path == SETTINGS {
            tools.files.insert(path, (0o644, bytes.to_vec()));
            continue;
        }
        let needs = elf::dependencies(bytes, arch).with_context(|| format!("read {path}"))?;
        for library in needs.libraries {
            // The loader stands where programs name it, not among the libraries; glibc itself needs it by name.
            if !library.starts_with("ld-linux") {
                open.push(format!("{}/{library}", arch.library_dir()));
            }
        }
        open.extend(needs.interpreter.map(|path| path.trim_start_matches('/').to_owned()));
        tools.files.insert(path, (0o755, bytes.to_vec()));
    }
    tools.packages = used.into_iter().filter_map(|at| sources.get(at)).map(|(package, _)| package.clone()).collect();
    Ok(tools)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::debian::lock;

    fn source(name: &str, files: Vec<(&str, Vec<u8>)>) -> (Package, Contents) {
        let shown = format!("Package: {name}\nVersion: 1\nArchitecture: amd64\nSHA256: 00\n");
        let package = lock::parse_show(&shown).unwrap().remove(0);
        (package, Contents::of_files(files.into_iter().map(|(path, bytes)| (path.to_owned(), bytes))))
    }

    /// This very program needs the C library and a loader, as those of e2fsprogs do.
    fn dynamic_program() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn programs_come_with_their_libraries_and_loader_and_nothing_else() {
        let program = dynamic_program();
        let library = elf::static_program;
        let tools =
            source("tools", PROGRAMS.iter().map(|&p| (p, program.clone())).chain([(SETTINGS, vec![])]).collect());
        let needed = elf::dependencies(&program, Arch::Amd64).unwrap();
        let loader = needed.interpreter.unwrap();
        let paths: Vec<_> = needed.libraries.iter().map(|name| format!("lib/x86_64-linux-gnu/{name}")).collect();
        let mut libraries: Vec<_> = paths.iter().map(|path| (path.as_str(), library())).collect();
        libraries.push(("lib/x86_64-linux-gnu/libother.so.1", library()));
        libraries.push((loader.trim_start_matches('/'), library()));
        let unused = source("unused", vec![("lib/unused", library())]);
        let found = collect(&[tools, unused, source("libc6", libraries)], Arch::Amd64).unwrap();
        assert_eq!(found.packages.iter().map(|package| package.name.as_str()).collect::<Vec<_>>(), ["tools", "libc6"]);
        assert!(found.files.contains_key("lib/x86_64-linux-gnu/libc.so.6"));
        assert!(found.files.contains_key("lib64/ld-linux-x86-64.so.2"));
        assert!(!found.files.keys().any(|path| path.contains("other") || path.contains("unused")));
        assert_eq!(found.files["sbin/mke2fs"].0, 0o755);
    }

    #[test]
    fn a_missing_library_is_named() {
        let program = dynamic_program();
        let tools =
            source("tools", PROGRAMS.iter().map(|&p| (p, program.clone())).chain([(SETTINGS, vec![])]).collect());
        let error = collect(&[tools], Arch::Amd64).unwrap_err();
        assert!(error.to_string().starts_with("no package has lib"), "{error}");
    }
}
