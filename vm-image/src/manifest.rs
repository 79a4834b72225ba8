//! manifest.json: what went into an image and what came out, by version and hash. The daemon reads from it what it says
//! of a machine that does not run.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::{arch::Arch, debian::lock::Package, digest};

/// The file's name in the folder of an image.
pub const FILE_NAME: &str = "manifest.json";

/// Version of the format, raised when a reader of the old one would be misled.
pub const FORMAT: u32 = 1;

/// An image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// Architecture, in Docker's words.
    pub arch: Arch,
    /// What `uname -r` says in the guest.
    pub kernel_release: String,
    /// Version of the agent.
    pub agent_version: String,
    /// Debian release.
    pub suite: String,
    /// Debian packages that something was taken from; the kernel's is the first.
    pub packages: Vec<Package>,
    /// Programs of ours.
    pub programs: Vec<Hashed>,
    /// Kernel modules, in the order in which they are loaded.
    pub modules: Vec<String>,
    /// Files beside this one.
    pub outputs: Vec<Hashed>,
    /// SHA-256 over all of the above, "sha256:" and 64 hexadecimal digits: the image's name.
    pub digest: String,
}

/// Something with the hash of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hashed {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256, 64 hexadecimal digits.
    pub sha256: String,
}

impl Hashed {
    /// Names and hashes bytes.
    #[must_use]
    pub fn new(name: &str, bytes: &[u8]) -> Self {
        Self { name: name.to_owned(), bytes: bytes.len() as u64, sha256: digest::of_bytes(bytes) }
    }
}

impl Manifest {
    /// Sets the digest from everything else.
    ///
    /// # Errors
    /// None that a value could cause.
    pub fn sealed(mut self) -> Result<Self> {
        self.digest = String::new();
        self.digest = format!("sha256:{}", digest::of_bytes(&serde_json::to_vec(&self)?));
        Ok(self)
    }

    /// The file's text.
    ///
    /// # Errors
    /// None that a value could cause.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            format: FORMAT,
            arch: Arch::Amd64,
            kernel_release: "6.12.1".into(),
            agent_version: "0.1.0".into(),
            suite: "trixie".into(),
            packages: vec![],
            programs: vec![Hashed::new("cove-guest", b"agent")],
            modules: vec!["vsock.ko".into()],
            outputs: vec![Hashed::new("vmlinux", b"kernel")],
            digest: String::new(),
        }
    }

    #[test]
    fn the_digest_covers_inputs_and_outputs_and_itself_not() {
        let sealed = manifest().sealed().unwrap();
        assert_eq!(sealed.digest.len(), "sha256:".len() + 64);
        assert_eq!(sealed.clone().sealed().unwrap(), sealed);
        let mut other = manifest();
        other.programs[0].sha256 = "0".repeat(64);
        assert_ne!(other.sealed().unwrap().digest, sealed.digest);
        let mut other = manifest();
        other.outputs[0].bytes += 1;
        assert_ne!(other.sealed().unwrap().digest, sealed.digest);
    }

    #[test]
    fn readers_find_the_fields_by_these_names() {
        let json = serde_json::to_value(manifest().sealed().unwrap()).unwrap();
        assert_eq!(json["format"], 1);
        assert_eq!(json["arch"], "amd64");
        assert_eq!(json["kernel_release"], "6.12.1");
        assert_eq!(json["agent_version"], "0.1.0");
        assert!(json["digest"].as_str().unwrap().starts_with("sha256:"));
    }
}
