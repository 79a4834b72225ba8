//! Which packages, in which versions: chosen once, then used by every build until a refresh.

use std::{fs, io, path::Path};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::write;

/// A package of a Debian archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Name of the binary package.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture, or "all".
    pub architecture: String,
    /// SHA-256 of the .deb.
    pub sha256: String,
    /// Name of the source package that it was built from.
    pub source: String,
    /// Version of the source package.
    pub source_version: String,
}

impl Package {
    /// The file name that apt gives the package.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}_{}_{}.deb", self.name, self.version.replace(':', "%3a"), self.architecture)
    }
}

/// The choice of packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Format of the file.
    format: u32,
    /// What was asked for; another question makes the choice worthless.
    requested: Vec<String>,
    /// The kernel's package.
    pub kernel: Package,
    /// The other packages: those asked for and what they depend on, sorted by name.
    pub packages: Vec<Package>,
}

const FORMAT: u32 = 1;

impl Lock {
    /// A new choice.
    #[must_use]
    pub fn new(requested: &[&str], kernel: Package, mut packages: Vec<Package>) -> Self {
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        let requested = requested.iter().map(|&name| name.to_owned()).collect();
        Self { format: FORMAT, requested, kernel, packages }
    }

    /// The recorded choice, if there is one and it answers the question.
    ///
    /// # Errors
    /// If there is a file that cannot be read.
    pub fn read(path: &Path, requested: &[&str]) -> Result<Option<Self>> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e).with_context(|| format!("read {}", path.display())),
        };
        let lock: Self = serde_json::from_slice(&text)
            .with_context(|| format!("{} is damaged; `build --refresh` makes it anew", path.display()))?;
        Ok((lock.format == FORMAT && lock.requested == requested).then_some(lock))
    }

    /// Records the choice.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        write::whole(path, &serde_json::to_vec_pretty(self)?)
    }

    /// All packages, the kernel first.
    pub fn all(&self) -> impl Iterator<Item = &Package> {
        std::iter::once(&self.kernel).chain(&self.packages)
    }
}

/// Reads what `apt-cache show` prints: stanzas of "Key: value".
///
/// # Errors
/// If a stanza lacks a name, version, architecture or SHA-256.
pub fn parse_show(text: &str) -> Result<Vec<Package>> {
    let mut packages: Vec<Package> = Vec::new();
    for stanza in text.split("\n\n").filter(|stanza| !stanza.trim().is_empty()) {
        let package = parse_stanza(stanza)?;
        // The same package may come from the main and the security archive.
        match packages.iter().find(|known| known.name == package.name) {
            Some(known) if *known == package => {}
            Some(known) => bail!("two packages {} {} with different contents", known.name, known.version),
            None => packages.push(package),
        }
    }
    Ok(packages)
}

fn parse_stanza(stanza: &str) -> Result<Package> {
    let optional = |key: &str| {
        stanza.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map(|value| value.trim().to_owned())
    };
    let field = |key: &str| optional(key).with_context(|| format!("apt-cache shows a package without {key}"));
    let (name, version) = (field("Package")?, field("Version")?);
    // "Source: name (version)"; without the version it is the binary's, without the field so is the name.
    let (source, source_version) = match optional("Source") {
        None => (name.clone(), version.clone()),
        Some(text) => match text.split_once(" (") {
            None => (text, version.clone()),
            Some((source, version)) => (source.to_owned(), version.trim_end_matches(')').to_owned()),
        },
    };
    let (architecture, sha256) = (field("Architecture")?, field("SHA256")?);
    Ok(Package { name, version, architecture, sha256, source, source_version })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &str = "Package: e2fsprogs\nSource: e2fsprogs-src (1.47.2-3)\nVersion: 1.47.2-3+b12\n\
                         Architecture: amd64\nDescription: tools\n Version: of a description\nSHA256: 11aa\n\n\
                         Package: login\nVersion: 1:4.16\nArchitecture: amd64\nSHA256: 22bb\n\n";

    #[test]
    fn packages_are_read_from_stanzas() {
        let packages = parse_show(SHOWN).unwrap();
        let [e2fsprogs, login] = packages.as_slice() else { panic!("{packages:?}") };
        assert_eq!((e2fsprogs.source.as_str(), e2fsprogs.source_version.as_str()), ("e2fsprogs-src", "1.47.2-3"));
        assert_eq!((e2fsprogs.version.as_str(), e2fsprogs.sha256.as_str()), ("1.47.2-3+b12", "11aa"));
        assert_eq!((login.source.as_str(), login.source_version.as_str()), ("login", "1:4.16"));
        assert_eq!(login.file_name(), "login_1%3a4.16_amd64.deb");
    }

    #[test]
    fn the_same_package_from_two_archives_is_one() {
        assert_eq!(parse_show(&SHOWN.repeat(2)).unwrap().len(), 2);
        let other = SHOWN.replace("22bb", "33cc");
        assert!(parse_show(&format!("{SHOWN}{other}")).is_err());
    }

    #[test]
    fn a_package_without_a_hash_is_an_error() {
        let error = parse_show("Package: a\nVersion: 1\nArchitecture: all\n").unwrap_err();
        assert_eq!(error.to_string(), "apt-cache shows a package without SHA256");
    }

    #[test]
    fn a_choice_holds_until_another_question_is_asked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("packages.json");
        assert_eq!(Lock::read(&path, &["a"]).unwrap(), None);
        let packages = parse_show(SHOWN).unwrap();
        let lock = Lock::new(&["a"], packages[0].clone(), packages);
        lock.write(&path).unwrap();
        assert_eq!(Lock::read(&path, &["a"]).unwrap(), Some(lock));
        assert_eq!(Lock::read(&path, &["a", "b"]).unwrap(), None);
        fs::write(&path, "{").unwrap();
        assert!(Lock::read(&path, &["a"]).unwrap_err().to_string().contains("--refresh"));
    }
}
