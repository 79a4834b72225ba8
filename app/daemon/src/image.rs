//! The guest image: where it is and what its manifest says.
//!
//! It is looked at when it is needed, not once: an image that is built while the daemon runs is there for the next start.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use cove_proto::v1;
use serde::Deserialize;

/// Name of the environment variable that says where the image is.
pub const VARIABLE: &str = "COVE_VM_IMAGE";

/// The format of the manifest that this daemon reads.
const FORMAT: u32 = 1;

/// Why there is no usable image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// It is not there, or not whole.
    #[error("no guest image in {}: read {}; install Cove again, or build an image and name its folder in {VARIABLE}", folder.display(), file.display())]
    Missing {
        /// Where it was looked for.
        folder: PathBuf,
        /// The file that is missing.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Its manifest is not what it should be.
    #[error("understand {}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// It is of another version of Cove.
    #[error("{} has format {found}, this coved knows {FORMAT}; image and coved must be of one version", path.display())]
    Format {
        /// The manifest.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
}

/// What the daemon needs of manifest.json; `vm-image` writes more.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Manifest {
    format: u32,
    /// Architecture in Go's words.
    pub arch: String,
    /// `uname -r` of the guest.
    pub kernel_release: String,
    /// Version of the agent.
    pub agent_version: String,
    /// Name of the whole image, "sha256:...".
    pub digest: String,
}

/// Where the image is, whether or not it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestImage {
    folder: PathBuf,
}

impl GuestImage {
    /// The image in a folder.
    #[must_use]
    pub fn in_folder(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The image of this installation: `$COVE_VM_IMAGE`, else `../share/cove` beside the folder of this program.
    ///
    /// # Errors
    /// If the system does not say where this program is.
    pub fn find() -> io::Result<Self> {
        if let Some(folder) = env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
            return Ok(Self::in_folder(std::path::absolute(folder)?));
        }
        let program = env::current_exe()?;
        let prefix = program.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
        Ok(Self::in_folder(prefix.join("share/cove")))
    }

    /// Uncompressed kernel.
    #[must_use]
    pub fn kernel(&self) -> PathBuf {
        self.folder.join("vmlinux")
    }

    /// Initramfs.
    #[must_use]
    pub fn initramfs(&self) -> PathBuf {
        self.folder.join("initramfs.cpio")
    }

    /// Reads the manifest and sees that what belongs to it is there.
    ///
    /// # Errors
    /// What is missing or wrong, and what to do.
    pub fn manifest(&self) -> Result<Manifest, ImageError> {
        let path = self.folder.join("manifest.json");
        let missing = |file: &Path| {
            let (folder, file) = (self.folder.clone(), file.to_owned());
            move |source| ImageError::Missing { folder, file, source }
        };
        let manifest = parse(&path, &fs::read(&path).map_err(missing(&path))?)?;
        for file in [self.kernel(), self.initramfs()] {
            fs::metadata(&file).map_err(missing(&file))?;
        }
        Ok(manifest)
    }
}

fn parse(path: &Path, text: &[u8]) -> Result<Manifest, ImageError> {
    let manifest: Manifest =
        serde_json::from_slice(text).map_err(|source| ImageError::Manifest { path: path.to_owned(), source })?;
    if manifest.format != FORMAT {
        return Err(ImageError::Format { path: path.to_owned(), found: manifest.format });
    }
    Ok(manifest)
}

impl From<Manifest> for v1::GuestImage {
    fn from(manifest: Manifest) -> Self {
        let Manifest { format: _, arch, kernel_release, agent_version, digest } = manifest;
        Self { kernel_release, arch, agent_version, digest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"format": 1, "arch": "amd64", "kernel_release": "6.12.1", "agent_version": "0.1.0",
        "suite": "trixie", "digest": "sha256:00"}"#;

    fn folder(manifest: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("manifest.json", manifest), ("vmlinux", ""), ("initramfs.cpio", "")] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn manifest(folder: &tempfile::TempDir) -> Result<Manifest, ImageError> {
        GuestImage::in_folder(folder.path().to_owned()).manifest()
    }

    #[test]
    fn a_whole_image_is_read() {
        assert_eq!(manifest(&folder(GOOD)).unwrap().kernel_release, "6.12.1");
    }

    #[test]
    fn what_is_missing_is_named() {
        let folder = folder(GOOD);
        fs::remove_file(folder.path().join("vmlinux")).unwrap();
        let text = manifest(&folder).unwrap_err().to_string();
        assert!(text.contains("vmlinux") && text.contains(VARIABLE), "{text}");
    }

    #[test]
    fn an_image_of_another_version_is_refused() {
        let folder = folder(&GOOD.replace("\"format\": 1", "\"format\": 2"));
        assert!(matches!(manifest(&folder), Err(ImageError::Format { found: 2, .. })));
    }
}
