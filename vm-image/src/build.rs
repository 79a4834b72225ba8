//! The steps of a build.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{
    arch::Arch,
    debian::{
        fetch::{Packages, Request},
        mirror::Mirrors,
    },
    digest,
    disk_tools::{self, DiskTools},
    hello_image,
    initramfs::Tree,
    kernel::Kernel,
    manifest::{self, Hashed, Manifest},
    programs::{self, Programs},
    progress, stamp, write,
};

const KERNEL: &str = "vmlinux";
const INITRAMFS: &str = "initramfs.cpio";
const OUTPUTS: [&str; 3] = [KERNEL, INITRAMFS, manifest::FILE_NAME];

/// Where PID 1 finds the file names of the modules, one per line, in the order in which they are loaded; `a.ko: b.ko` is b
/// if a has been loaded.
const MODULE_LIST: &str = "cove/modules";
/// Folder of the modules.
const MODULES: &str = "lib/modules";

/// What to build.
#[derive(Debug)]
pub struct Options {
    /// Where the image is put; `vm-image/<arch>` in cargo's target folder if absent.
    pub out: Option<PathBuf>,
    /// Architecture of the guest.
    pub arch: Arch,
    /// What the user says about mirrors.
    pub mirrors: Mirrors,
    /// Debian release.
    pub suite: String,
    /// Where packages are kept; the user's cache folder if absent.
    pub cache: Option<PathBuf>,
    /// An agent to use instead of building one.
    pub agent: Option<PathBuf>,
    /// Whether the kernel stays as Debian ships it, if that is compressed.
    pub compressed_kernel: bool,
    /// Whether to ask for newer packages.
    pub refresh: bool,
}

/// A built image.
#[derive(Debug)]
pub struct Built {
    /// Its folder.
    pub out: PathBuf,
    /// What is in it.
    pub manifest: Manifest,
    /// Whether it was there already.
    pub up_to_date: bool,
}

/// Builds an image, unless the folder holds it already.
///
/// # Errors
/// If a program does not build, a package cannot be verified, or a file cannot be written. An older image in the folder
/// may then be partly replaced, and the next build makes it whole.
pub fn run(options: &Options) -> Result<Built> {
    let arch = options.arch;
    let programs = Programs::build(arch, options.agent.as_deref())?;
    let out = match &options.out {
        Some(out) => out.clone(),
        None => programs.target_dir.join("vm-image").join(arch.name()),
    };
    let cache = match &options.cache {
        Some(cache) => cache.clone(),
        None => default_cache(env::var_os("XDG_CACHE_HOME").map(Into::into), env::var_os("HOME").map(Into::into))?,
    };
    let packages = Packages::find(&Request {
        suite: &options.suite,
        arch,
        packages: &[disk_tools::PACKAGE],
        mirrors: &options.mirrors,
        cache: &std::path::absolute(&cache).with_context(|| format!("use {} as cache", cache.display()))?,
        refresh: options.refresh,
    })?;
    let inputs = inputs(&packages, &programs, options)?;
    if stamp::is_current(&out, &inputs, &OUTPUTS) {
        let manifest = read_manifest(&out)?;
        return Ok(Built { out, manifest, up_to_date: true });
    }
    let manifest = assemble(&out, &packages, &programs, options)?;
    stamp::record(&out, &inputs, &OUTPUTS)?;
    Ok(Built { out, manifest, up_to_date: false })
}

/// One hash for all that decides what comes out.
fn inputs(packages: &Packages, programs: &Programs, options: &Options) -> Result<String> {
    // The builder is an input too: another one may make something else of the same packages.
    let builder = env::current_exe().context("find this program")?;
    let facts = (
        &options.suite,
        options.arch,
        options.compressed_kernel,
        &packages.lock,
        digest::of_bytes(&programs.agent),
        digest::of_bytes(&programs.hello),
        stamp::of_file(&builder)?,
    );
    Ok(digest::of_bytes(&serde_json::to_vec(&facts)?))
}

fn assemble(out: &Path, packages: &Packages, programs: &Programs, options: &Options) -> Result<Manifest> {
    let arch = options.arch;
    progress::step("unpacking the kernel");
    let kernel = Kernel::read(&packages.verified(&packages.lock.kernel)?, arch, options.compressed_kernel)?;
    progress::step("unpacking e2fsprogs");
    let tools = DiskTools::read(packages, arch)?;
    let initramfs = initramfs(&kernel, &tools, programs, arch)?;
    let mut used = vec![packages.lock.kernel.clone()];
    used.extend(tools.packages);
    let manifest = Manifest {
        format: manifest::FORMAT,
        arch,
        kernel_release: kernel.release,
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        suite: options.suite.clone(),
        packages: used,
        programs: vec![Hashed::new(programs::AGENT, &programs.agent), Hashed::new(programs::HELLO, &programs.hello)],
        modules: kernel.modules.into_iter().map(|module| module.file_name).collect(),
        outputs: vec![Hashed::new(KERNEL, &kernel.vmlinux), Hashed::new(INITRAMFS, &initramfs)],
        digest: String::new(),
    }
    .sealed()?;
    write::whole(&out.join(KERNEL), &kernel.vmlinux)?;
    write::whole(&out.join(INITRAMFS), &initramfs)?;
    write::whole(&out.join(manifest::FILE_NAME), &manifest.to_json()?)?;
    Ok(manifest)
}

fn initramfs(kernel: &Kernel, tools: &DiskTools, programs: &Programs, arch: Arch) -> Result<Vec<u8>> {
    let mut tree = Tree::with_mount_points()?;
    tree.file("init", 0o755, programs.agent.clone())?;
    let hello = hello_image::archive(&programs.hello, arch, env!("CARGO_PKG_VERSION"))?;
    tree.file(hello_image::GUEST_PATH, 0o644, hello)?;
    let mut list = String::new();
    for module in &kernel.modules {
        tree.file(&format!("{MODULES}/{}", module.file_name), 0o644, module.bytes.clone())?;
        list = list + &module.line() + "\n";
    }
    tree.file(MODULE_LIST, 0o644, list.into_bytes())?;
    for (path, (permissions, bytes)) in &tools.files {
        tree.file(path, *permissions, bytes.clone())?;
    }
    tree.to_cpio()
}

fn read_manifest(out: &Path) -> Result<Manifest> {
    let path = out.join(manifest::FILE_NAME);
    let text = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is damaged; remove it and build again", path.display()))
}

/// The XDG base directory specification: relative values are ignored.
fn default_cache(xdg_cache_home: Option<PathBuf>, home: Option<PathBuf>) -> Result<PathBuf> {
    let base = xdg_cache_home.filter(|path| path.is_absolute()).or_else(|| Some(home?.join(".cache")));
    Ok(base.context("HOME is not set; say where packages are kept with --cache")?.join("cove/vm-image"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_kept_where_the_user_keeps_caches() {
        let cache = |xdg: Option<&str>, home: Option<&str>| default_cache(xdg.map(Into::into), home.map(Into::into));
        assert_eq!(cache(Some("/x"), Some("/h")).unwrap(), Path::new("/x/cove/vm-image"));
        assert_eq!(cache(Some("x"), Some("/h")).unwrap(), Path::new("/h/.cache/cove/vm-image"));
        assert_eq!(cache(None, Some("/h")).unwrap(), Path::new("/h/.cache/cove/vm-image"));
        assert!(cache(None, None).is_err());
    }
}
