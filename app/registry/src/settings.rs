//! What the user decides about registries: a JSON file that is replaced as a whole and read at each use.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{endpoints, error::RegistryError, transport::proxies};

/// More at once than this helps nobody.
pub const MAX_AT_ONCE: u32 = 64;

/// The settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrySettings {
    /// Addresses that are asked before Docker Hub, in this order: "https://mirror.example".
    pub mirrors: Vec<String>,
    /// Registries that need no certificate that anybody vouches for: "host", "host:5000", "10.0.0.0/8". The loopback
    /// network always is.
    pub insecure: Vec<String>,
    /// How many layers come at once.
    pub concurrent_downloads: u32,
    /// How many layers go at once.
    pub concurrent_uploads: u32,
    /// Where registries' certificates lie, in docker's order: `<folder>/<host:port>/*.crt`. Docker's own place if none.
    pub certificates: Option<PathBuf>,
    /// The proxy that all registries are reached by, but those of this computer: "http://proxy:3128", "socks5://proxy".
    /// What the environment or the system says if empty.
    pub proxy: String,
    /// Hosts, domains and networks that are reached without it.
    pub no_proxy: Vec<String>,
}

impl Default for RegistrySettings {
    /// dockerd's: three down, five up.
    fn default() -> Self {
        Self {
            mirrors: Vec::new(),
            insecure: Vec::new(),
            concurrent_downloads: 3,
            concurrent_uploads: 5,
            certificates: None,
            proxy: String::new(),
            no_proxy: Vec::new(),
        }
    }
}

impl RegistrySettings {
    /// Reads the file; without one, the defaults.
    ///
    /// # Errors
    /// If it cannot be read or understood, or a value makes no sense.
    pub fn load(path: &Path) -> Result<Self, RegistryError> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(RegistryError::file("read the settings in", path, &error)),
        };
        let settings: Self = serde_json::from_slice(&text)
            .map_err(|error| RegistryError::file("understand the settings in", path, &error.into()))?;
        settings.validate()?;
        Ok(settings)
    }

    /// Replaces the file as a whole.
    ///
    /// # Errors
    /// If a value makes no sense or the file cannot be written; the old one then stays.
    pub fn save(&self, path: &Path) -> Result<(), RegistryError> {
        self.validate()?;
        self.write(path).map_err(|error| RegistryError::file("write the settings to", path, &error))
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        let new = path.with_extension("json.new");
        let mut file = std::fs::File::create(&new)?;
        file.write_all(&text)?;
        file.sync_all()?;
        std::fs::rename(&new, path)
    }

    /// Checks every value.
    ///
    /// # Errors
    /// The first that makes no sense.
    pub fn validate(&self) -> Result<(), RegistryError> {
        self.mirrors.iter().try_for_each(|mirror| endpoints::mirror(mirror).map(drop))?;
        self.insecure.iter().try_for_each(|entry| endpoints::insecure::check(entry))?;
        if !self.proxy.is_empty() {
            proxies::parse(&self.proxy)?;
        }
        for (name, number) in [
            ("the number of concurrent downloads", self.concurrent_downloads),
            ("the number of concurrent uploads", self.concurrent_uploads),
        ] {
            if !(1..=MAX_AT_ONCE).contains(&number) {
                return Err(RegistryError::BadNumber(name, MAX_AT_ONCE));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_loaded_and_nonsense_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("registries.json");
        assert_eq!(RegistrySettings::load(&path).unwrap(), RegistrySettings::default());
        let good = RegistrySettings {
            mirrors: vec!["http://127.0.0.1:5000".into()],
            insecure: vec!["10.0.0.0/8".into(), "host:5000".into()],
            ..RegistrySettings::default()
        };
        good.save(&path).unwrap();
        let none = RegistrySettings { concurrent_downloads: 0, ..RegistrySettings::default() };
        assert_eq!(
            none.save(&path).unwrap_err().to_string(),
            "the number of concurrent downloads must be between 1 and 64"
        );
        for mirror in ["mirror.example", "ftp://mirror.example", "http://mirror.example/path?x", "http://"] {
            let bad = RegistrySettings { mirrors: vec![mirror.into()], ..RegistrySettings::default() };
            assert!(matches!(bad.save(&path), Err(RegistryError::BadMirror(_))), "{mirror}");
        }
        for entry in ["http://x", "10.0.0.0/99", "", "a b"] {
            let bad = RegistrySettings { insecure: vec![entry.into()], ..RegistrySettings::default() };
            assert!(matches!(bad.save(&path), Err(RegistryError::BadRegistry(_))), "{entry}");
        }
        let bad = RegistrySettings { proxy: "ftp://proxy".into(), ..RegistrySettings::default() };
        assert!(matches!(bad.save(&path), Err(RegistryError::BadProxy(_))));
        assert_eq!(RegistrySettings::load(&path).unwrap(), good);
    }

    #[test]
    fn a_typo_in_the_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("registries.json");
        std::fs::write(&path, r#"{"mirror": []}"#).unwrap();
        let said = RegistrySettings::load(&path).unwrap_err().to_string();
        assert!(said.contains("understand the settings in") && said.contains("mirror"), "{said}");
    }
}
