//! What containers have of their networks, written down: a file for each container that runs, in a folder that lasts as
//! long as the boot, like the namespaces themselves. It is written before the container is started, so that every
//! container that runs has one, whenever the agent ends.

use std::{fs, io, net::Ipv4Addr, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{BuiltIn, NetworksError};

/// What a container has of its network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The network.
    pub network: BuiltIn,
    /// Id of its place there, 64 hexadecimal digits.
    pub endpoint_id: String,
    /// Id of its network namespace, 64 hexadecimal digits.
    pub sandbox_id: String,
    /// Its place on the bridge, if it is there.
    pub place: Option<Place>,
}

/// A place on the bridge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The address.
    pub address: Ipv4Addr,
    /// The name of the guest's end of the link.
    pub link: String,
}

/// The folder of the files.
#[derive(Debug)]
pub(super) struct Leases {
    folder: PathBuf,
}

impl Leases {
    pub(super) fn open(folder: PathBuf) -> Result<Self, NetworksError> {
        fs::create_dir_all(&folder).map_err(failed("create", &folder))?;
        Ok(Self { folder })
    }

    /// All of them. What cannot be read was never more than begun: its container was not started.
    pub(super) fn all(&self) -> Result<Vec<(String, Lease)>, NetworksError> {
        let mut leases = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed("read", &self.folder))? {
            let entry = entry.map_err(failed("read", &self.folder))?;
            let (path, id) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            let bytes = fs::read(&path).map_err(failed("read", &path))?;
            match postcard::from_bytes(&bytes) {
                Ok(lease) => leases.push((id, lease)),
                Err(_) => self.remove(&id),
            }
        }
        Ok(leases)
    }

    pub(super) fn write(&self, id: &str, lease: &Lease) -> Result<(), NetworksError> {
        let path = self.folder.join(id);
        let bytes = postcard::to_stdvec(lease).map_err(io::Error::other);
        bytes.and_then(|bytes| fs::write(&path, bytes)).map_err(failed("write", &path))
    }

    /// One that stays behind is found by the next agent, which knows that its container does not run.
    pub(super) fn remove(&self, id: &str) {
        if let Err(error) = fs::remove_file(self.folder.join(id)) {
            tracing::warn!(container = id, %error, "what a container had of its network stays written down");
        }
    }
}

fn failed(action: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> NetworksError + use<> {
    let path = path.to_owned();
    move |source| NetworksError::Lease { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_was_only_begun_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let leases = Leases::open(folder.path().join("leases")).unwrap();
        let lease = Lease {
            network: BuiltIn::Bridge,
            endpoint_id: "e".into(),
            sandbox_id: "s".into(),
            place: Some(Place { address: Ipv4Addr::new(172, 17, 0, 2), link: "veth1234567".into() }),
        };
        leases.write("web", &lease).unwrap();
        fs::write(folder.path().join("leases/begun"), b"").unwrap();
        assert_eq!(leases.all().unwrap(), [("web".to_owned(), lease)]);
        leases.remove("web");
        assert_eq!(leases.all().unwrap(), []);
        assert_eq!(fs::read_dir(folder.path().join("leases")).unwrap().count(), 0);
    }
}
