//! From "which packages" to verified files: the recorded choice if there is one, else what apt verifies today.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::{
    apt::Apt,
    lock::{Lock, Package},
    mirror::Mirrors,
};
use crate::{arch::Arch, digest, progress};

/// What to fetch, and where it is kept.
#[derive(Debug)]
pub struct Request<'a> {
    /// Debian release.
    pub suite: &'a str,
    /// Architecture.
    pub arch: Arch,
    /// Packages beside the kernel.
    pub packages: &'a [&'a str],
    /// What the user says about mirrors; used only if something has to be fetched.
    pub mirrors: &'a Mirrors,
    /// Folder that is kept between builds.
    pub cache: &'a Path,
    /// Whether to choose anew.
    pub refresh: bool,
}

/// The packages of a suite and architecture, in the cache.
#[derive(Debug)]
pub struct Packages {
    /// The choice.
    pub lock: Lock,
    debs: PathBuf,
}

impl Packages {
    /// Finds the recorded choice, or chooses and records. Fetches only for a choice; see [`Self::verified`].
    ///
    /// # Errors
    /// If apt cannot verify or fetch, or the cache cannot be used.
    pub fn find(request: &Request<'_>) -> Result<Self> {
        check_suite(request.suite)?;
        let dir = request.cache.join(format!("{}-{}", request.suite, request.arch.name()));
        let debs = dir.join("debs");
        fs::create_dir_all(&debs).with_context(|| format!("create {}", debs.display()))?;
        let _guard = exclusive(&dir)?;
        let recorded = dir.join("packages.json");
        let known = if request.refresh { None } else { Lock::read(&recorded, request.packages)? };
        // A choice whose files are gone cannot be had again in general: archives keep only the newest versions.
        let known = known.filter(|lock| lock.all().all(|package| debs.join(package.file_name()).exists()));
        if let Some(lock) = known {
            return Ok(Self { lock, debs });
        }
        let lock = choose(request, &dir.join("apt"), &debs)?;
        lock.write(&recorded)?;
        remove_others(&debs, &lock)?;
        Ok(Self { lock, debs })
    }

    /// Path of a package whose contents have been checked against the recorded hash.
    ///
    /// # Errors
    /// If the file is not what was recorded.
    pub fn verified(&self, package: &Package) -> Result<PathBuf> {
        let path = self.debs.join(package.file_name());
        if digest::of_file(&path)? != package.sha256 {
            bail!("{} is not what was fetched; remove it and build with --refresh", path.display());
        }
        Ok(path)
    }
}

fn choose(request: &Request<'_>, apt_dir: &Path, debs: &Path) -> Result<Lock> {
    let mirrors = request.mirrors.choose()?;
    progress::step(&format!("asking {} for Debian {}", mirrors.main, request.suite));
    let apt = Apt::update(apt_dir, request.suite, request.arch, &mirrors)?;
    let kernel_name = apt.kernel_of(request.arch.kernel_package())?;
    let kernel = apt.show(std::slice::from_ref(&kernel_name))?;
    let kernel = kernel.into_iter().next().with_context(|| format!("{kernel_name} is not in the archive"))?;
    let packages = apt.show(&apt.closure_of(request.packages)?)?;
    let lock = Lock::new(request.packages, kernel, packages);
    let mut missing = Vec::new();
    for package in lock.all() {
        let path = debs.join(package.file_name());
        if !path.exists() || digest::of_file(&path)? != package.sha256 {
            missing.push(package);
        }
    }
    if !missing.is_empty() {
        progress::step(&format!("fetching {} packages, kernel {}", missing.len(), lock.kernel.version));
        apt.download(missing.into_iter(), debs)?;
    }
    for package in lock.all() {
        let path = debs.join(package.file_name());
        if digest::of_file(&path)? != package.sha256 {
            bail!("{} is not what the signed list says", path.display());
        }
    }
    Ok(lock)
}

/// The suite becomes a part of paths and of apt's configuration.
fn check_suite(suite: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if suite.is_empty() || suite.starts_with(['-', '.']) || !suite.chars().all(plain) {
        bail!("{suite:?} is no Debian release");
    }
    Ok(())
}

/// One build at a time chooses and fetches; the others wait.
fn exclusive(dir: &Path) -> Result<File> {
    let path = dir.join("lock");
    let context = || format!("lock {}", path.display());
    let file = File::create(&path).with_context(context)?;
    file.lock().with_context(context)?;
    Ok(file)
}

fn remove_others(debs: &Path, lock: &Lock) -> Result<()> {
    let context = || format!("clean {}", debs.display());
    for entry in fs::read_dir(debs).with_context(context)? {
        let entry = entry.with_context(context)?;
        let name = entry.file_name();
        if !lock.all().any(|package| name == package.file_name().as_str()) {
            fs::remove_file(entry.path()).with_context(context)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_cannot_lead_out_of_the_cache() {
        for suite in ["", "../x", "a/b", "-x", "a b"] {
            assert!(check_suite(suite).is_err(), "{suite:?}");
        }
        check_suite("trixie").unwrap();
    }

    #[test]
    fn a_recorded_choice_needs_no_network_and_a_changed_package_is_refused() {
        let cache = tempfile::tempdir().unwrap();
        let debs = cache.path().join("trixie-amd64/debs");
        fs::create_dir_all(&debs).unwrap();
        let package = Package {
            name: "p".into(),
            version: "1".into(),
            architecture: "amd64".into(),
            sha256: digest::of_bytes(b"contents"),
            source: "p".into(),
            source_version: "1".into(),
        };
        fs::write(debs.join("p_1_amd64.deb"), b"contents").unwrap();
        Lock::new(&["p"], package.clone(), vec![]).write(&cache.path().join("trixie-amd64/packages.json")).unwrap();
        // A mirror that is refused before anything is fetched shows that none is asked for.
        let mirrors = Mirrors { main: Some("no mirror".into()), security: None };
        let request = Request {
            suite: "trixie",
            arch: Arch::Amd64,
            packages: &["p"],
            mirrors: &mirrors,
            cache: cache.path(),
            refresh: false,
        };
        let packages = Packages::find(&request).unwrap();
        assert_eq!(packages.verified(&package).unwrap(), debs.join("p_1_amd64.deb"));
        assert!(Packages::find(&Request { refresh: true, ..request }).is_err());
        fs::write(debs.join("p_1_amd64.deb"), b"other").unwrap();
        assert!(packages.verified(&package).unwrap_err().to_string().contains("is not what was fetched"));
    }
}
