//! The configuration document of an image (OCI image-spec `config.md` with Docker's additions): the JSON whose digest is
//! the image's id.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::ImagesError;
use super::digest::Digest;

/// Largest JSON document of an archive, in bytes (containerd's limit for manifests).
pub(super) const LARGEST_DOCUMENT: u64 = 4 << 20;

/// How containers of an image run by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageConfig {
    /// "user", "uid", "user:group" or "uid:gid"; empty is root.
    #[serde(deserialize_with = "or_default")]
    pub user: String,
    /// Environment, "NAME=value".
    #[serde(deserialize_with = "or_default")]
    pub env: Vec<String>,
    /// Entry point.
    pub entrypoint: Option<Vec<String>>,
    /// Arguments of the entry point.
    pub cmd: Option<Vec<String>>,
    /// Folder that the process starts in; empty is "/".
    #[serde(deserialize_with = "or_default")]
    pub working_dir: String,
    /// Labels.
    #[serde(deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
    /// Signal that stops it: a name or a number.
    pub stop_signal: Option<String>,
    /// "80/tcp".
    #[serde(deserialize_with = "keys")]
    pub exposed_ports: BTreeSet<String>,
    /// Paths that get an anonymous volume.
    #[serde(deserialize_with = "keys")]
    pub volumes: BTreeSet<String>,
    /// Instructions for images that are built on it.
    #[serde(deserialize_with = "or_default")]
    pub on_build: Vec<String>,
    /// Shell of shell-form instructions.
    pub shell: Option<Vec<String>>,
    /// How to find out whether a container is healthy.
    pub healthcheck: Option<ImageHealthcheck>,
}

/// How to find out whether a container is healthy; times in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageHealthcheck {
    /// "NONE", "CMD" or "CMD-SHELL", and arguments.
    #[serde(deserialize_with = "or_default")]
    pub test: Vec<String>,
    /// Between two checks.
    pub interval: i64,
    /// Until a check has failed.
    pub timeout: i64,
    /// After the start, in which failures do not count.
    pub start_period: i64,
    /// Between two checks in that time.
    pub start_interval: i64,
    /// Failures in a row.
    pub retries: i64,
}

/// The document, as far as the store reads it. The bytes themselves are kept as they came.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Document {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) os: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) architecture: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) variant: String,
    #[serde(default)]
    created: Option<String>,
    #[serde(default)]
    pub(super) config: Option<ImageConfig>,
    rootfs: RootFs,
}

#[derive(Debug, Clone, Deserialize)]
struct RootFs {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default, deserialize_with = "or_default")]
    diff_ids: Vec<Digest>,
}

impl Document {
    /// Reads the document.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ImagesError> {
        let wrong = |source| ImagesError::Document { document: "image configuration".to_owned(), source };
        let document: Self = serde_json::from_slice(bytes).map_err(wrong)?;
        if document.rootfs.kind != "layers" {
            return Err(ImagesError::Archive(format!("unknown rootfs type \"{}\"", document.rootfs.kind)));
        }
        Ok(document)
    }

    /// Digests of its layers' tars, the lowest first.
    pub(super) fn diff_ids(&self) -> &[Digest] {
        &self.rootfs.diff_ids
    }

    /// When its author made it, in nanoseconds since 1970; `None` when it does not say so in RFC 3339.
    pub(super) fn created_nanos(&self) -> Option<i64> {
        let created: jiff::Timestamp = self.created.as_deref()?.parse().ok()?;
        i64::try_from(created.as_nanosecond()).ok()
    }
}

/// `null` is the default, as in Go.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// A Go set: an object whose values mean nothing.
fn keys<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeSet<String>, D::Error> {
    let map: Option<BTreeMap<String, Value>> = Option::deserialize(from)?;
    Ok(map.unwrap_or_default().into_keys().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_are_defaults() {
        let json = br#"{"os":"linux","architecture":"amd64","created":"2026-11-24T02:31:03.781932101Z","config":{"User":"",
            "Env":null,"Cmd":["sh"],"Volumes":null,"ExposedPorts":{"80/tcp":{}},"Entrypoint":null,"Labels":null,"OnBuild":null},
            "rootfs":{"type":"layers","diff_ids":null}}"#;
        let document = Document::parse(json).unwrap();
        let config = document.config.clone().unwrap();
        assert_eq!(config.cmd, Some(vec!["sh".to_owned()]));
        assert_eq!(config.entrypoint, None);
        assert_eq!(config.exposed_ports, BTreeSet::from(["80/tcp".to_owned()]));
        assert!(config.env.is_empty() && config.labels.is_empty() && config.volumes.is_empty());
        assert_eq!(document.created_nanos(), Some(1_795_487_463_781_932_101));
        assert!(document.diff_ids().is_empty());
    }

    #[test]
    fn a_document_without_layers_or_with_deep_nesting_is_refused() {
        assert!(Document::parse(br#"{"os":"linux"}"#).is_err());
        assert!(Document::parse(br#"{"rootfs":{"type":"base"}}"#).is_err());
        let deep = format!("{{\"rootfs\":{}", "[".repeat(100_000));
        assert!(Document::parse(deep.as_bytes()).is_err());
    }
}
