//! A manifest to a registry.

use cove_names::{Digest, Reference};
use http::header::CONTENT_TYPE;

use super::{DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST};
use crate::{
    error::RegistryError,
    repository::{Repository, accepted},
};

impl Repository {
    /// Puts a manifest under a tag. All that it names must be there.
    ///
    /// # Errors
    /// The registry does not take it.
    pub async fn put_manifest(&self, tag: &Reference, bytes: &[u8], media_type: &str) -> Result<(), RegistryError> {
        let name = tag.tag().map_or_else(|| Digest::of(bytes).to_string(), str::to_owned);
        let address = self.address(&format!("manifests/{name}"));
        let answer =
            self.ask(|client| client.put(&address).header(CONTENT_TYPE, media_type).body(bytes.to_vec())).await?;
        accepted(answer).await.map(drop)
    }
}

/// The manifest of an image that has none yet: Docker's, which every registry takes. The spaces are those of
/// distribution's encoder, so that the same image has the same digest wherever it was pushed from.
///
/// # Errors
/// Never with what this crate makes.
pub fn made(config: (&Digest, u64), layers: &[(Digest, u64)]) -> Result<Vec<u8>, RegistryError> {
    let descriptor =
        |kind: &str, digest: &Digest, size: u64| serde_json::json!({"mediaType": kind, "size": size, "digest": digest});
    let layers: Vec<_> = layers.iter().map(|(digest, size)| descriptor(DOCKER_LAYER, digest, *size)).collect();
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": descriptor(DOCKER_CONFIG, config.0, config.1),
        "layers": layers,
    });
    let mut text = Vec::new();
    let three = serde_json::ser::PrettyFormatter::with_indent(b"   ");
    let mut writer = serde_json::Serializer::with_formatter(&mut text, three);
    serde::Serialize::serialize(&manifest, &mut writer).map_err(|error| RegistryError::Source(error.to_string()))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifests::Document;

    #[test]
    fn a_manifest_that_is_made_is_one_and_always_the_same() {
        let (config, layer) = (Digest::of(b"{}"), Digest::of(b"layer"));
        let text = made((&config, 2), &[(layer.clone(), 5)]).unwrap();
        let Ok(Document::Image(manifest)) = Document::read(&text, DOCKER_MANIFEST, "x") else { panic!("no image") };
        assert_eq!((manifest.config.digest, manifest.layers[0].digest.clone()), (config.clone(), layer.clone()));
        assert!(text.starts_with(b"{\n   \"schemaVersion\": 2,\n   \"mediaType\""));
        assert_eq!(text, made((&config, 2), &[(layer, 5)]).unwrap());
    }
}
