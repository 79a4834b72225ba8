//! A blob from a registry.
//!
//! ```text
//! asked ─▶ comes piece by piece ─▶ whole: its digest is right ─▶ end
//!   ▲              │ broke, stalled, ended too soon
//!   └── waits ◀────┘        (so often in a row without a new byte, and it is given up)
//! ```

use std::time::Duration;

use bytes::Bytes;
use cove_names::Digest;
use http::{StatusCode, header::CONTENT_RANGE, header::RANGE};
use reqwest::Response;
use sha2::{Digest as _, Sha256};

use super::failures::Failures;
use crate::{
    error::RegistryError,
    repository::{Repository, refusal},
    transport,
};

/// A blob that comes.
pub struct Download {
    repository: Repository,
    digest: Digest,
    size: u64,
    /// How much has come.
    at: u64,
    hash: Sha256,
    answer: Option<Response>,
    /// What an answer repeats that had come before.
    to_skip: u64,
    failures: Failures,
    wait: Option<Duration>,
    is_checked: bool,
}

/// What happened.
#[derive(Debug)]
pub enum Step {
    /// The next bytes.
    Data(Bytes),
    /// The connection broke; it is tried again after this time.
    Waiting(Duration),
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Download").field("digest", &self.digest).field("at", &self.at).finish_non_exhaustive()
    }
}

impl Download {
    pub(super) fn new(repository: Repository, digest: Digest, size: u64) -> Self {
        Self {
            repository,
            digest,
            size,
            at: 0,
            hash: Sha256::new(),
            answer: None,
            to_skip: 0,
            failures: Failures::default(),
            wait: None,
            is_checked: false,
        }
    }

    /// The next that happens; `None` at the end, when all has come and is what the digest says.
    ///
    /// # Errors
    /// The registry does not give it, breaks off too often, or gives something else.
    pub async fn next(&mut self) -> Result<Option<Step>, RegistryError> {
        if let Some(wait) = self.wait.take() {
            tokio::time::sleep(wait).await;
        }
        if self.at == self.size {
            return self.check().map(|()| None);
        }
        match self.piece().await {
            Ok(piece) => self.take(piece).map(|data| Some(Step::Data(data))),
            Err(error) => self.again(error).map(|wait| Some(Step::Waiting(wait))),
        }
    }

    fn take(&mut self, piece: Bytes) -> Result<Bytes, RegistryError> {
        let found = self.at + piece.len() as u64;
        if found > self.size {
            return Err(RegistryError::WrongSize { digest: self.digest.clone(), wanted: self.size, found });
        }
        self.at = found;
        self.failures.went_on();
        self.hash.update(&piece);
        Ok(piece)
    }

    /// The next piece that had not come before.
    async fn piece(&mut self) -> Result<Bytes, RegistryError> {
        loop {
            let answer = match &mut self.answer {
                Some(answer) => answer,
                None => {
                    let (answer, to_skip) = self.ask().await?;
                    self.to_skip = to_skip;
                    self.answer.insert(answer)
                }
            };
            let url = answer.url().to_string();
            let piece = answer.chunk().await.map_err(|error| transport::broke("Get", &url, &error))?;
            let mut piece = piece.ok_or_else(|| ended(&url))?;
            let repeated = usize::try_from(self.to_skip).unwrap_or(usize::MAX).min(piece.len());
            self.to_skip -= repeated as u64;
            let piece = piece.split_off(repeated);
            if !piece.is_empty() {
                return Ok(piece);
            }
        }
    }

    /// Asks for what is missing; says how much of the answer had come before.
    async fn ask(&self) -> Result<(Response, u64), RegistryError> {
        let address = self.repository.address(&format!("blobs/{}", self.digest));
        let range = (self.at > 0).then(|| format!("bytes={}-", self.at));
        let make = |client: &reqwest::Client| {
            let request = client.get(&address);
            range.iter().fold(request, |request, range| request.header(RANGE, range))
        };
        let answer = self.repository.ask(make).await?;
        match answer.status() {
            StatusCode::OK => Ok((answer, self.at)),
            StatusCode::PARTIAL_CONTENT if begins_at(&answer) == Some(self.at) => Ok((answer, 0)),
            StatusCode::PARTIAL_CONTENT => {
                Err(RegistryError::Malformed("the registry sent another part than it was asked for".to_owned()))
            }
            _ => Err(RegistryError::Refused(refusal(answer).await)),
        }
    }

    /// How long to wait before it is tried again, if it is.
    fn again(&mut self, error: RegistryError) -> Result<Duration, RegistryError> {
        self.answer = None;
        tracing::debug!(digest = %self.digest, at = self.at, %error, "a download broke");
        let wait = self.failures.again(self.repository.patience(), error)?;
        self.wait = Some(wait);
        Ok(wait)
    }

    fn check(&mut self) -> Result<(), RegistryError> {
        if std::mem::replace(&mut self.is_checked, true) {
            return Ok(());
        }
        let found = Digest::from(<[u8; 32]>::from(std::mem::take(&mut self.hash).finalize()));
        if found == self.digest {
            Ok(())
        } else {
            Err(RegistryError::WrongDigest { wanted: self.digest.clone(), found })
        }
    }
}

/// An answer that ends before the blob does has broken off, whatever length it promised.
fn ended(url: &str) -> RegistryError {
    RegistryError::Transport { method: "Get", url: url.to_owned(), words: "unexpected EOF".to_owned() }
}

/// Where a part begins: "bytes 10-99/100".
fn begins_at(answer: &Response) -> Option<u64> {
    let range = answer.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}
