//! What lies in docker's `certs.d/<host:port>`: `*.crt` are authorities, `*.cert` with `*.key` say who we are.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::error::RegistryError;

/// The files' contents: what differs makes another client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Certificates {
    /// PEM of each authority.
    pub(super) authorities: Vec<Vec<u8>>,
    /// PEM of our certificate and of its key, if there is one.
    pub(super) client: Option<(Vec<u8>, Vec<u8>)>,
}

impl Certificates {
    /// Those of a host, from every folder.
    pub(super) fn of(host: &str, folders: &[PathBuf]) -> Result<Self, RegistryError> {
        let mut found = Self::default();
        // Where a file's name may have no colon, docker leaves it out.
        let names = [host.to_owned(), host.replace(':', "")];
        let names = &names[..if host.contains(':') { 2 } else { 1 }];
        for folder in folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name))) {
            found.add(&folder)?;
        }
        Ok(found)
    }

    fn add(&mut self, folder: &Path) -> Result<(), RegistryError> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidFilename) => {
                return Ok(());
            }
            Err(error) => return Err(RegistryError::file("read the certificates in", folder, &error)),
        };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        let read = |path: &Path| fs::read(path).map_err(|error| RegistryError::file("read", path, &error));
        for path in paths {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("crt") => self.authorities.push(read(&path)?),
                Some("cert") => self.client = Some((read(&path)?, read(&path.with_extension("key"))?)),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hosts_own_folder_is_read_with_and_without_its_colon() {
        let folder = tempfile::tempdir().unwrap();
        for (name, file) in
            [("host:1", "ca.crt"), ("host1", "other.crt"), ("stranger", "ca.crt"), ("host:1", "me.cert")]
        {
            fs::create_dir_all(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join(file), name).unwrap();
        }
        let folders = [folder.path().to_owned(), folder.path().join("absent")];
        let said = Certificates::of("host:1", &folders).unwrap_err().to_string();
        assert!(said.starts_with("read ") && said.contains("me.key"), "{said}");
        fs::write(folder.path().join("host:1/me.key"), "key").unwrap();
        let found = Certificates::of("host:1", &folders).unwrap();
        assert_eq!(found.authorities, [b"host:1".to_vec(), b"host1".to_vec()]);
        assert_eq!(found.client, Some((b"host:1".to_vec(), b"key".to_vec())));
    }
}
