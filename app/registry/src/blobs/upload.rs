//! A blob to a registry.
//!
//! ```text
//! opened (POST) ─▶ goes piece by piece (PATCH) ─▶ all has gone ─▶ its digest is said (PUT) ─▶ end
//!    ▲ it does not know       │ broke
//!    └──── asked (GET) ◀──────┘
//!              └─▶ it has so much: the rest goes (PATCH)
//! ```
//!
//! All goes in one PATCH, as dockerd does it: there are registries that take no second one, or none that is small.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use cove_names::Digest;
use futures::{SinkExt as _, StreamExt as _, channel::mpsc};
use http::{StatusCode, header::CONTENT_LENGTH, header::CONTENT_TYPE, header::LOCATION, header::RANGE};
use http_body_util::StreamBody;
use hyper::body::Frame;
use reqwest::{Response, Url};
use sha2::{Digest as _, Sha256};

use super::failures::Failures;
use crate::{
    error::RegistryError,
    repository::{Repository, accepted, refusal},
};

/// Pieces that may wait for the network.
const AHEAD: usize = 4;

/// What an upload tells who waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The network has taken so many bytes.
    Sent(u64),
    /// The connection broke; it is tried again after this time.
    Waiting(Duration),
}

/// What is sent: piece by piece.
pub trait Source: Send {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// If it cannot be read; the upload then fails.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, RegistryError>> + Send;

    /// The next piece is to be the first, and all are to come once more.
    fn restart(&mut self);
}

/// Bytes that are there.
#[derive(Debug)]
pub struct Whole {
    bytes: Bytes,
    is_read: bool,
}

impl Whole {
    /// These.
    #[must_use]
    pub fn of(bytes: Vec<u8>) -> Self {
        Self { bytes: bytes.into(), is_read: false }
    }
}

impl Source for Whole {
    async fn next(&mut self) -> Result<Option<Bytes>, RegistryError> {
        Ok((!std::mem::replace(&mut self.is_read, true)).then(|| self.bytes.clone()))
    }

    fn restart(&mut self) {
        self.is_read = false;
    }
}

/// What broke.
enum Broken {
    /// What is sent; to try again would break again.
    Source(RegistryError),
    /// The way to the registry, or the registry.
    Way(RegistryError),
}

impl From<RegistryError> for Broken {
    fn from(error: RegistryError) -> Self {
        Self::Way(error)
    }
}

/// Where an upload goes on.
#[derive(Debug, Clone)]
struct Place {
    location: Url,
    /// How much the registry has.
    has: u64,
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

    /// Has a blob mounted from another repository of the same registry, "library/alpine". Whether the registry did that.
    ///
    /// # Errors
    /// The registry refuses.
    pub async fn mount(&self, digest: &Digest, from: &str) -> Result<bool, RegistryError> {
        let address = self.address(&format!("blobs/uploads/?mount={digest}&from={from}"));
        let scopes = [format!("repository:{from}:pull")];
        let ask = |client: &reqwest::Client| client.post(&address).header(CONTENT_LENGTH, 0);
        let answer = self.ask_beyond(&scopes, ask).await?;
        match answer.status() {
            StatusCode::CREATED => Ok(true),
            // It has opened an upload instead, which ends as it ends for all that nobody goes on with.
            StatusCode::ACCEPTED => Ok(false),
            // The other repository may not be read; that is no reason against this one.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ok(false),
            _ => Err(RegistryError::Refused(refusal(answer).await)),
        }
    }

    /// Sends a blob, and gives its digest and size. Where the connection breaks it goes on with what the registry has.
    ///
    /// # Errors
    /// The source fails, the connection breaks too often, or the registry finds something else than was sent.
    pub async fn upload(
        &self,
        source: &mut impl Source,
        mut told: impl FnMut(Told) + Send,
    ) -> Result<(Digest, u64), RegistryError> {
        let (mut failures, mut place) = (Failures::default(), None);
        loop {
            let error = match self.attempt(&mut place, &mut failures, source, &mut told).await {
                Ok(sent) => return Ok(sent),
                Err(Broken::Source(error)) => return Err(error),
                Err(Broken::Way(error)) => error,
            };
            tracing::debug!(repository = self.name().name(), %error, "an upload broke");
            let wait = failures.again(self.patience(), error)?;
            told(Told::Waiting(wait));
            tokio::time::sleep(wait).await;
        }
    }

    /// From where it is to the end, or to where it breaks.
    async fn attempt(
        &self,
        place: &mut Option<Place>,
        failures: &mut Failures,
        source: &mut impl Source,
        told: &mut (impl FnMut(Told) + Send),
    ) -> Result<(Digest, u64), Broken> {
        let found = match place.as_ref() {
            Some(broken) => self.found(broken).await?,
            None => None,
        };
        let begin = match found {
            Some(found) => found,
            None => self.opened().await?,
        };
        if begin.has > place.as_ref().map_or(0, |broken| broken.has) {
            failures.went_on();
        }
        *place = Some(begin.clone());
        source.restart();
        let (location, digest, size) = self.stream(begin, source, told).await?;
        self.finish(location, &digest, told).await?;
        Ok((digest, size))
    }

    /// A new upload.
    async fn opened(&self) -> Result<Place, RegistryError> {
        let address = self.address("blobs/uploads/");
        let answer = self.ask(|client| client.post(&address).header(CONTENT_LENGTH, 0)).await?;
        match answer.status() {
            StatusCode::ACCEPTED => Ok(Place { location: location(&answer)?, has: 0 }),
            _ => Err(RegistryError::Refused(refusal(answer).await)),
        }
    }

    /// Where an upload that broke goes on, if the registry knows. Distribution up to version 2.8 does not once a PATCH has
    /// broken: to it the upload's location tells how much has come, and that is wrong then.
    async fn found(&self, broken: &Place) -> Result<Option<Place>, RegistryError> {
        let answer = self.ask(|client| client.get(broken.location.clone())).await?;
        if answer.status().is_server_error() {
            return Err(RegistryError::Refused(refusal(answer).await));
        }
        let Some(has) = received(&answer).filter(|_| answer.status().is_success()) else { return Ok(None) };
        let location = location(&answer).unwrap_or_else(|_| broken.location.clone());
        Ok(Some(Place { location, has }))
    }

    /// Sends what the registry does not have; says where the upload is to be finished, and what has gone.
    async fn stream(
        &self,
        begin: Place,
        source: &mut impl Source,
        told: &mut (impl FnMut(Told) + Send),
    ) -> Result<(Url, Digest, u64), Broken> {
        let (mut sender, receiver) = mpsc::channel::<Bytes>(AHEAD);
        let body = StreamBody::new(receiver.map(|piece| Ok::<_, Infallible>(Frame::data(piece))));
        let request = self
            .sending()
            .patch(begin.location)
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(reqwest::Body::wrap(body));
        let answer = async { self.ask_once(request).await.map_err(Broken::Way) };
        let reading = async {
            let (mut hash, mut size) = (Sha256::new(), 0);
            while let Some(mut piece) = source.next().await.map_err(Broken::Source)? {
                hash.update(&piece);
                let known = begin.has.saturating_sub(size).min(piece.len() as u64);
                size += piece.len() as u64;
                let rest = piece.split_off(usize::try_from(known).unwrap_or(usize::MAX));
                if !rest.is_empty() && sender.send(rest).await.is_err() {
                    // The registry takes no more; its answer says why.
                    break;
                }
                told(Told::Sent(size));
            }
            sender.close_channel();
            Ok((Digest::from(<[u8; 32]>::from(hash.finalize())), size))
        };
        // A source that fails must drop the request: an end that comes in order would look like the blob's.
        let (answer, (digest, size)) = futures::try_join!(answer, reading)?;
        Ok((location(&accepted(answer).await?)?, digest, size))
    }

    /// Says what it was. Whose answer does not come may have been heard; it is asked whether the blob is there then.
    async fn finish(
        &self,
        mut location: Url,
        digest: &Digest,
        told: &mut (impl FnMut(Told) + Send),
    ) -> Result<(), RegistryError> {
        location.query_pairs_mut().append_pair("digest", &digest.to_string());
        let mut failures = Failures::default();
        loop {
            let answer = self.ask(|client| client.put(location.clone()).header(CONTENT_LENGTH, 0)).await;
            let error = match answer {
                Ok(answer) => match accepted(answer).await {
                    Ok(_) => return Ok(()),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            let wait = failures.again(self.patience(), error)?;
            told(Told::Waiting(wait));
            tokio::time::sleep(wait).await;
            if let Ok(Some(_)) = self.has(digest).await {
                return Ok(());
            }
        }
    }
}

/// How much of an upload has come: "0-99", also as "bytes=0-99". Distribution says "0-0" of nothing.
fn received(answer: &Response) -> Option<u64> {
    let range = answer.headers().get(RANGE)?.to_str().ok()?;
    let last = range.strip_prefix("bytes=").unwrap_or(range).strip_prefix("0-")?.parse::<u64>().ok()?;
    (last > 0).then_some(last + 1)
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
