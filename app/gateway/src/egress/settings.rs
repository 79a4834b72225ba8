//! What the user has said about the way out: JSON in a file. What is not said is the environment's: `ALL_PROXY` and
//! `NO_PROXY`, which curl and others read.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Policy, Proxy, Rules, policy::Block};

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Addresses and blocks of addresses that no container reaches.
    pub denied: Vec<String>,
    /// Whether no container reaches the host's loopback.
    pub host_denied: bool,
    /// The proxy for all TCP; nothing for the environment's, "none" for none.
    pub proxy: String,
    /// Addresses and blocks that are reached without it.
    pub no_proxy: Vec<String>,
}

/// Why settings are not taken.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file.
    #[error("read or write the settings of the way out in {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What is in it.
    #[error("understand the settings of the way out in {path}")]
    Json {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A proxy or an address.
    #[error("{0}")]
    Invalid(String),
}

impl Settings {
    /// Reads them; the defaults if there is no file.
    ///
    /// # Errors
    /// If there is one that cannot be read.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        match fs::read(path) {
            Ok(text) => {
                serde_json::from_slice(&text).map_err(|source| SettingsError::Json { path: path.to_owned(), source })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(SettingsError::File { path: path.to_owned(), source }),
        }
    }

    /// Keeps them.
    pub(super) fn save(&self, path: &Path) -> Result<(), SettingsError> {
        let text = serde_json::to_vec_pretty(self);
        let text = text.map_err(|source| SettingsError::Json { path: path.to_owned(), source })?;
        // Renamed over the old file, so that there is never half of one.
        let new = path.with_extension("new");
        let written = fs::write(&new, text).and_then(|()| fs::rename(&new, path));
        written.map_err(|source| SettingsError::File { path: path.to_owned(), source })
    }

    /// What they come to, in an environment.
    pub(super) fn rules(&self, environment: impl Fn(&str) -> Option<String>) -> Result<Rules, SettingsError> {
        let blocks = |texts: &[String]| texts.iter().map(|text| text.trim().parse()).collect::<Result<Vec<_>, _>>();
        let denied = blocks(&self.denied).map_err(SettingsError::Invalid)?;
        let mut not_for = blocks(&self.no_proxy).map_err(SettingsError::Invalid)?;
        let proxy = match self.proxy.as_str() {
            "none" => None,
            "" => {
                // It lists names as well, of which nothing is known here.
                let listed = environment("NO_PROXY").unwrap_or_default();
                not_for.extend(listed.split(',').filter_map(|text| text.trim().parse::<Block>().ok()));
                environment("ALL_PROXY")
            }
            own => Some(own.to_owned()),
        };
        let proxy = proxy.map(|text| text.parse::<Proxy>()).transpose().map_err(SettingsError::Invalid)?;
        let proxy = proxy.map(|proxy| proxy.except(not_for));
        Ok(Rules { policy: Policy { denied, host_denied: self.host_denied }, proxy })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::Target;

    fn environment(name: &str) -> Option<String> {
        match name {
            "ALL_PROXY" => Some("socks5://127.0.0.1:1".to_owned()),
            "NO_PROXY" => Some("localhost, 10.0.0.0/8,.example.org".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn the_users_proxy_comes_before_the_environments() {
        let to = |address: &str| Target::Address(address.parse().unwrap());
        let of_environment = Settings::default().rules(environment).unwrap().proxy.unwrap();
        assert!(of_environment.is_for(to("192.0.2.1:80")) && !of_environment.is_for(to("10.0.0.1:80")));
        assert!(!of_environment.is_for(Target::Host { port: 80 }));
        let own = Settings { proxy: "http://p:1".to_owned(), ..Settings::default() };
        assert!(own.rules(environment).unwrap().proxy.unwrap().is_for(to("10.0.0.1:80")));
        let none = Settings { proxy: "none".to_owned(), ..Settings::default() };
        assert_eq!(none.rules(environment).unwrap().proxy, None);
        assert_eq!(Settings::default().rules(|_| None).unwrap().proxy, None);
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        for wrong in [
            Settings { denied: vec!["10.0.0.0/99".to_owned()], ..Settings::default() },
            Settings { proxy: "gopher://p".to_owned(), ..Settings::default() },
            Settings { no_proxy: vec!["x".to_owned()], ..Settings::default() },
        ] {
            assert!(matches!(wrong.rules(|_| None), Err(SettingsError::Invalid(_))), "{wrong:?}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("egress.json");
        fs::write(&path, r#"{"denyed": ["10.0.0.0/8"]}"#).unwrap();
        assert!(matches!(Settings::load(&path), Err(SettingsError::Json { .. })));
    }
}
