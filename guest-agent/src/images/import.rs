//! Makes an image of one layer from the tar of a file system.

use std::io::Read;

use serde_json::{Map, Value, json};

use super::changes::apply;
use super::digest::Digest;
use super::load::{Installation, NewImage, build_layer};
use super::tag::parse_tag;
use super::{ImageStore, ImagesError};

/// What to make.
#[derive(Debug, Clone, Default)]
pub struct ImportRequest {
    /// Reference to give it; none when empty.
    pub reference: String,
    /// Comment in its history.
    pub message: String,
    /// Dockerfile instructions that change its configuration.
    pub changes: Vec<String>,
    /// "os/arch[/variant]"; the guest's when empty.
    pub platform: String,
}

struct Platform {
    os: String,
    arch: String,
    variant: String,
}

impl ImageStore {
    /// Makes an image from a tar, which may be compressed. Returns its id.
    ///
    /// # Errors
    /// The request or the tar is malformed, or the disk is full. Nothing is kept then.
    pub fn import(&self, request: &ImportRequest, tar: impl Read + Send) -> Result<String, ImagesError> {
        // All that can be wrong with the request is found before the tar is read.
        let references = match request.reference.as_str() {
            "" => Vec::new(),
            reference => vec![parse_tag(reference)?],
        };
        let platform = self.platform(&request.platform)?;
        let config = apply(&request.changes)?;

        let layer = build_layer(self, tar, None, 0)?;
        let document = document(&platform, config, &request.message, layer.diff_id()).to_string();
        let id = Digest::of(document.as_bytes()).to_string();
        let image =
            NewImage { config: document.into_bytes(), references: references.clone(), origin: None, parent: None };
        let mut installation = Installation::new(self);
        installation.add_top(Some(layer), image)?;
        installation.commit(None)?;
        references.iter().for_each(|reference| self.tell("tag", &id, &reference.familiar()));
        self.tell("import", &id, &id);
        Ok(id)
    }

    fn platform(&self, text: &str) -> Result<Platform, ImagesError> {
        if text.is_empty() {
            return Ok(Platform { os: "linux".into(), arch: self.0.config.arch.clone(), variant: String::new() });
        }
        let wrong = || ImagesError::Platform(text.to_owned());
        let is_word = |part: &&str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        };
        let parts: Vec<&str> = text.split('/').filter(is_word).collect();
        let (arch, variant) = match (parts.as_slice(), text.matches('/').count()) {
            (["linux"], 0) => (self.0.config.arch.as_str(), ""),
            (["linux", arch], 1) => (*arch, ""),
            (["linux", arch, variant], 2) => (*arch, *variant),
            _ => return Err(wrong()),
        };
        let arch = match arch {
            "x86_64" | "x86-64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        Ok(Platform { os: "linux".to_owned(), arch: arch.to_owned(), variant: variant.to_owned() })
    }
}

/// The configuration document, its members in dockerd's order.
fn document(platform: &Platform, config: Map<String, Value>, message: &str, diff_id: &Digest) -> Value {
    let now = jiff::Timestamp::now().to_string();
    let mut document = json!({
        "architecture": platform.arch,
        "comment": message,
        "config": config,
        "created": now,
        "history": [{ "created": now, "comment": message }],
        "os": platform.os,
        "rootfs": { "type": "layers", "diff_ids": [diff_id.to_string()] },
    });
    if message.is_empty() {
        if let Some(members) = document.as_object_mut() {
            members.shift_remove("comment");
        }
        document["history"] = json!([{ "created": now }]);
    }
    if !platform.variant.is_empty() {
        document["variant"] = Value::from(platform.variant.as_str());
    }
    document
}
