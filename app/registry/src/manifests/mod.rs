//! What an image is made of, and which of several is meant.
//!
//! * [`platform`] — platforms, and which of an index fits best.
//! * `fetch` — from a registry. `put` — to it. `tags` — which tags a repository has.

mod fetch;
pub mod platform;
pub mod put;
mod tags;

use cove_names::Digest;
use serde::{Deserialize, Serialize};

pub use self::fetch::{Fetched, Head, Image};
use self::platform::Platform;
use crate::error::RegistryError;

/// Docker's manifest of one image.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's list of the manifests of several platforms.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// OCI's manifest of one image.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI's list.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Docker's configuration of an image.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// OCI's.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Docker's layer.
pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// A reference to content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    pub media_type: String,
    /// Number of its bytes.
    pub size: u64,
    /// Its digest.
    pub digest: Digest,
    /// For what it is, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}

/// The manifest of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its configuration.
    pub config: Descriptor,
    /// Its layers, the lowest first.
    pub layers: Vec<Descriptor>,
}

/// What a reference leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// One image.
    Image(Manifest),
    /// One for each of several platforms.
    Index(Vec<Descriptor>),
}

/// The members of all kinds.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    schema_version: Option<u32>,
    #[serde(default)]
    media_type: String,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
}

impl Document {
    /// Reads a manifest or an index. `content_type` is what the registry calls it, which goes before what it says itself.
    ///
    /// # Errors
    /// It is none, or of a kind that cannot be used; `name` is what the error says of whom.
    pub fn read(text: &[u8], content_type: &str, name: &str) -> Result<Self, RegistryError> {
        let malformed = |why: &str| RegistryError::Malformed(why.to_owned());
        let raw: Raw = serde_json::from_slice(text).map_err(|error| RegistryError::Malformed(error.to_string()))?;
        if raw.schema_version == Some(1) {
            return Err(RegistryError::Schema1(name.to_owned()));
        }
        let kind = if is_known(content_type) { content_type } else { raw.media_type.as_str() };
        match (kind, raw.manifests, raw.config, raw.layers) {
            (DOCKER_LIST | OCI_INDEX, Some(manifests), ..) => Ok(Self::Index(manifests)),
            (DOCKER_MANIFEST | OCI_MANIFEST, _, Some(config), Some(layers)) => {
                Manifest { config, layers }.usable().map(Self::Image)
            }
            // OCI lets a document leave its kind out; what it has says which it is.
            ("", Some(manifests), None, None) => Ok(Self::Index(manifests)),
            ("", None, Some(config), Some(layers)) => Manifest { config, layers }.usable().map(Self::Image),
            (DOCKER_LIST | OCI_INDEX | DOCKER_MANIFEST | OCI_MANIFEST | "", ..) => {
                Err(malformed("its kind and its members do not fit"))
            }
            (other, ..) => Err(RegistryError::MediaType(other.to_owned())),
        }
    }
}

impl Manifest {
    /// Refuses what is no image, and layers that lie elsewhere.
    fn usable(self) -> Result<Self, RegistryError> {
        // BuildKit and others have kinds of their own for the same; what is surely something else is refused.
        let kind = self.config.media_type.as_str();
        if !matches!(kind, DOCKER_CONFIG | OCI_CONFIG | "application/octet-stream" | "") {
            return Err(RegistryError::NotAnImage(kind.to_owned()));
        }
        let elsewhere = |layer: &&Descriptor| {
            layer.media_type.contains(".foreign.") || layer.media_type.contains(".nondistributable.")
        };
        match self.layers.iter().find(elsewhere) {
            Some(layer) => Err(RegistryError::ForeignLayer(layer.media_type.clone())),
            None => Ok(self),
        }
    }
}

fn is_known(kind: &str) -> bool {
    matches!(kind, DOCKER_MANIFEST | DOCKER_LIST | OCI_MANIFEST | OCI_INDEX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#""config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}"#;

    fn layer(kind: &str) -> String {
        let digest = Digest::of(kind.as_bytes());
        format!(r#"{{"mediaType":"{kind}","size":1,"digest":"{digest}"}}"#)
    }

    fn read(text: &str, kind: &str) -> Result<Document, RegistryError> {
        Document::read(text.as_bytes(), kind, "host/x:1")
    }

    #[test]
    fn the_registrys_word_goes_before_the_documents_and_what_it_has_before_nothing() {
        let image = format!(r#"{{"schemaVersion":2,{CONFIG},"layers":[]}}"#);
        assert!(matches!(read(&image, OCI_MANIFEST), Ok(Document::Image(_))));
        assert!(matches!(read(&image, "text/plain"), Ok(Document::Image(_))));
        assert!(matches!(read(&image, OCI_INDEX), Err(RegistryError::Malformed(_))));
        let index = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
        assert!(matches!(read(index, "application/json"), Ok(Document::Index(_))));
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_its_name() {
        let old = r#"{"schemaVersion":1,"name":"x","fsLayers":[]}"#;
        let said = read(old, "application/vnd.docker.distribution.manifest.v1+prettyjws").unwrap_err().to_string();
        assert!(said.contains("schema 1 are not supported") && said.contains("host/x:1"), "{said}");
        for kind in [
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        ] {
            let image = format!(r#"{{"schemaVersion":2,{CONFIG},"layers":[{}]}}"#, layer(kind));
            assert!(matches!(read(&image, OCI_MANIFEST), Err(RegistryError::ForeignLayer(_))), "{kind}");
        }
        let chart = format!(
            r#"{{"schemaVersion":2,"config":{},"layers":[]}}"#,
            layer("application/vnd.cncf.helm.config.v1+json")
        );
        assert!(matches!(read(&chart, OCI_MANIFEST), Err(RegistryError::NotAnImage(_))));
        let other = r#"{"schemaVersion":2,"mediaType":"application/vnd.other+json"}"#;
        assert!(matches!(read(other, ""), Err(RegistryError::MediaType(_))));
        assert!(matches!(read("<html>", ""), Err(RegistryError::Malformed(_))));
    }
}
