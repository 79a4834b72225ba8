//! A blob to a registry.

use std::convert::Infallible;

use bytes::Bytes;
use cove_names::Digest;
use futures::{SinkExt as _, StreamExt as _, channel::mpsc};
use http::{StatusCode, header::CONTENT_LENGTH, header::CONTENT_TYPE, header::LOCATION};
use http_body_util::StreamBody;
use hyper::body::Frame;
use reqwest::{Response, Url};
use sha2::{Digest as _, Sha256};

use crate::{
    error::RegistryError,
    repository::{Repository, accepted, refusal},
};

/// Pieces that may wait for the network.
const AHEAD: usize = 4;

/// What became of a wish to mount.
#[derive(Debug)]
pub enum Mounted {
    /// The repository has it now.
    Yes,
    /// It must be sent; the registry has opened an upload for it.
    Open(Upload),
}

/// An upload that the registry has opened.
#[derive(Debug)]
pub struct Upload {
    location: Url,
}

/// What is sent: piece by piece.
pub trait Source: Send {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// If it cannot be read; the upload then fails.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, RegistryError>> + Send;
}

/// Bytes that are there.
#[derive(Debug)]
pub struct Whole(Option<Bytes>);

impl Whole {
    /// These.
    #[must_use]
    pub fn of(bytes: Vec<u8>) -> Self {
        Self(Some(bytes.into()))
    }
}

impl Source for Whole {
    async fn next(&mut self) -> Result<Option<Bytes>, RegistryError> {
        Ok(self.0.take())
    }
}

impl Repository {
    /// The size of a blob, if the repository has it.
    ///
    /// # Errors
    /// Nobody answers, or credentials are missing.
    pub async fn has(&self, digest: &Digest) -> Result<Option<u64>, RegistryError> {
        let address = self.address(&format!("blobs/{digest}"));
        let answer = self.ask(|client| client.head(&address)).await?;
        match answer.status() {
            StatusCode::OK => {
                let header = answer.headers().get(CONTENT_LENGTH);
                Ok(Some(header.and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0)))
            }
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(RegistryError::Refused(refusal(answer).await)),
        }
    }

    /// Opens an upload. With another repository of the same registry, "library/alpine", the blob is mounted from there if
    /// the registry does that.
    ///
    /// # Errors
    /// The registry refuses.
    pub async fn open(&self, mount: Option<(&Digest, &str)>) -> Result<Mounted, RegistryError> {
        let address = self.address("blobs/uploads/");
        let (query, scopes) = match mount {
            Some((digest, from)) => (format!("?mount={digest}&from={from}"), vec![format!("repository:{from}:pull")]),
            None => (String::new(), Vec::new()),
        };
        let ask = |query: String, scopes: Vec<String>| {
            let address = &address;
            async move {
                self.ask_beyond(&scopes, |client| client.post(format!("{address}{query}")).header(CONTENT_LENGTH, 0))
                    .await
            }
        };
        let mut answer = ask(query, scopes).await?;
        if mount.is_some() && matches!(answer.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            // The other repository may not be read; that is no reason against this one.
            answer = ask(String::new(), Vec::new()).await?;
        }
        match answer.status() {
            StatusCode::CREATED if mount.is_some() => Ok(Mounted::Yes),
            StatusCode::ACCEPTED => Ok(Mounted::Open(Upload { location: location(&answer)? })),
            _ => Err(RegistryError::Refused(refusal(answer).await)),
        }
    }

    /// Sends a blob through an upload, and gives its digest and size. `told` hears how much the network has taken.
    ///
    /// # Errors
    /// The source fails, the connection breaks, or the registry finds something else than was sent.
    pub async fn send(
        &self,
        upload: Upload,
        source: &mut impl Source,
        mut told: impl FnMut(u64) + Send,
    ) -> Result<(Digest, u64), RegistryError> {
        let (mut sender, receiver) = mpsc::channel::<Bytes>(AHEAD);
        let body = StreamBody::new(receiver.map(|piece| Ok::<_, Infallible>(Frame::data(piece))));
        let request = self
            .sending()
            .patch(upload.location)
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(reqwest::Body::wrap(body));
        let answer = self.ask_once(request);
        let reading = async {
            let (mut hash, mut size) = (Sha256::new(), 0);
            while let Some(piece) = source.next().await? {
                hash.update(&piece);
                size += piece.len() as u64;
                if sender.send(piece).await.is_err() {
                    // The registry takes no more; its answer says why.
                    break;
                }
                told(size);
            }
            sender.close_channel();
            Ok::<_, RegistryError>((Digest::from(<[u8; 32]>::from(hash.finalize())), size))
        };
        // A source that fails must drop the request: an end that comes in order would look like the blob's.
        let (answer, (digest, size)) = futures::try_join!(answer, reading)?;
        let location = location(&accepted(answer).await?)?;
        self.finish(location, &digest).await?;
        Ok((digest, size))
    }

    async fn finish(&self, mut location: Url, digest: &Digest) -> Result<(), RegistryError> {
        location.query_pairs_mut().append_pair("digest", &digest.to_string());
        let answer = self.ask(|client| client.put(location.clone()).header(CONTENT_LENGTH, 0)).await?;
        accepted(answer).await.map(drop)
    }
}

/// Where an upload goes on; registries write it with and without their host.
fn location(answer: &Response) -> Result<Url, RegistryError> {
    let header = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let nowhere = || RegistryError::Malformed(format!("the registry names {header:?} to upload to"));
    if header.is_empty() {
        return Err(nowhere());
    }
    answer.url().join(header).map_err(|_| nowhere())
}
