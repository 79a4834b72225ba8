//! What the user has set about containers. The host writes it into the initramfs of each boot, beside the secret.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

/// What the user has set about containers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Settings {
    /// Whether containers have a user namespace unless they say otherwise.
    pub(super) user_namespaces: bool,
}

/// Why the settings are not known. They are not guessed: a container might have more rights than the user allows.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingsError {
    /// The file could not be read.
    #[error("read the settings of this boot in {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("understand the settings of this boot in {path}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

/// Reads them. A host that has none to set writes no file.
pub(super) fn read(path: &Path) -> Result<Settings, SettingsError> {
    match fs::read(path) {
        Ok(text) => {
            serde_json::from_slice(&text).map_err(|source| SettingsError::Parse { path: path.to_owned(), source })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Settings::default()),
        Err(source) => Err(SettingsError::Read { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_file_there_are_the_defaults_and_a_broken_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings");
        assert_eq!(read(&path).unwrap(), Settings::default());
        fs::write(&path, r#"{"user_namespaces": true, "of_a_later_version": 1}"#).unwrap();
        assert_eq!(read(&path).unwrap(), Settings { user_namespaces: true });
        fs::write(&path, "user_namespaces").unwrap();
        assert!(matches!(read(&path), Err(SettingsError::Parse { .. })));
    }
}
