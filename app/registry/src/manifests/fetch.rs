//! A manifest from a registry, and from it the one image that is meant.

use cove_names::{Digest, Reference};
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::Response;

use super::{DOCKER_LIST, DOCKER_MANIFEST, Document, Manifest, OCI_INDEX, OCI_MANIFEST, platform::Platform};
use crate::{
    error::RegistryError,
    repository::{Repository, accepted},
    transport,
};

/// What can be read; the order is dockerd's.
const KINDS: [&str; 4] = [DOCKER_LIST, OCI_INDEX, DOCKER_MANIFEST, OCI_MANIFEST];
/// distribution's limit of a manifest.
const LARGEST: usize = 4 << 20;
/// How deep an index may lie in an index.
const DEEPEST: usize = 3;
const DIGEST: &str = "docker-content-digest";

/// What a registry says of a manifest without sending it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its digest.
    pub digest: Digest,
    /// What it is.
    pub media_type: String,
    /// Number of its bytes.
    pub size: u64,
}

/// A manifest or index, byte for byte.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Its digest.
    pub digest: Digest,
    /// What the registry calls it.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What they say.
    pub document: Document,
}

/// The one image that is meant.
#[derive(Debug, Clone)]
pub struct Image {
    /// Digest of what the reference leads to: the index's, if it is one.
    pub digest: Digest,
    /// Its own manifest, byte for byte.
    pub bytes: Vec<u8>,
    /// What that is.
    pub media_type: String,
    /// What it says.
    pub manifest: Manifest,
}

impl Repository {
    /// Asks what a reference leads to; `None` if the registry does not say without sending it.
    ///
    /// # Errors
    /// Credentials are missing or refused, or nobody answers. What is not there is left to the request for it, whose
    /// answer has words.
    pub async fn head(&self, reference: &Reference) -> Result<Option<Head>, RegistryError> {
        let address = self.address(&format!("manifests/{}", tag_or_digest(reference)));
        let answer = self.ask(|client| client.head(&address).header(ACCEPT, KINDS.join(", "))).await?;
        if !answer.status().is_success() {
            return Ok(None);
        }
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let Some(digest) = header(DIGEST).and_then(|text| Digest::parse(text).ok()) else { return Ok(None) };
        let media_type = header(CONTENT_TYPE.as_str()).unwrap_or_default().to_owned();
        let size = header(CONTENT_LENGTH.as_str()).and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(Some(Head { digest, media_type, size }))
    }

    /// Fetches a manifest or an index.
    ///
    /// # Errors
    /// The registry has none or does not give it, or it is not what its digest says, or of no use.
    pub async fn fetch(&self, reference: &Reference) -> Result<Fetched, RegistryError> {
        let address = self.address(&format!("manifests/{}", tag_or_digest(reference)));
        let answer = accepted(self.ask(|client| client.get(&address).header(ACCEPT, KINDS.join(", "))).await?).await?;
        let media_type = media_type(&answer);
        let bytes = transport::whole(answer, "Get", "a manifest", LARGEST).await?;
        let digest = Digest::of(&bytes);
        if let Some(wanted) = reference.digest().filter(|wanted| **wanted != digest) {
            return Err(RegistryError::WrongManifest { wanted: wanted.clone(), found: digest });
        }
        let document = Document::read(&bytes, &media_type, &reference.familiar())?;
        let media_type = if media_type.is_empty() { said(&bytes) } else { media_type };
        Ok(Fetched { digest, media_type, bytes, document })
    }

    /// Goes from what was fetched to the one image for a platform.
    ///
    /// # Errors
    /// As [`Repository::fetch`]; or none is for that platform.
    pub async fn image(&self, fetched: Fetched, platform: &Platform) -> Result<Image, RegistryError> {
        let digest = fetched.digest.clone();
        let mut at = fetched;
        for _ in 0..DEEPEST {
            match at.document {
                Document::Image(manifest) => {
                    return Ok(Image { digest, bytes: at.bytes, media_type: at.media_type, manifest });
                }
                Document::Index(entries) => {
                    let chosen = platform.choose(&entries)?;
                    at = self.fetch(&self.name().with_digest(chosen.digest.clone())).await?;
                }
            }
        }
        Err(RegistryError::Malformed(format!("an index lies more than {DEEPEST} deep")))
    }
}

/// "latest" or "sha256:...".
fn tag_or_digest(reference: &Reference) -> String {
    reference.digest().map_or_else(|| reference.tag().unwrap_or("latest").to_owned(), ToString::to_string)
}

fn media_type(answer: &Response) -> String {
    let header = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    header.split(';').next().unwrap_or_default().trim().to_owned()
}

/// What a document calls itself; OCI's manifest if it does not.
fn said(bytes: &[u8]) -> String {
    let value: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    value["mediaType"].as_str().unwrap_or(OCI_MANIFEST).to_owned()
}
