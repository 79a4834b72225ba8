//! What went wrong. The texts are those that dockerd has for the same, since people look for them.

use std::{fmt, io, path::PathBuf, time::Duration};

use cove_names::Digest;

/// What a caller decides by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The registry has no such thing, or does not say so to us.
    NotFound,
    /// Credentials are missing or wrong.
    Unauthorized,
    /// The request makes no sense.
    Invalid,
    /// The registry cannot be reached, or broke off.
    Unreachable,
    /// What came is not what was asked for.
    Corrupt,
    /// What came is of a kind that cannot be used.
    Unsupported,
    /// Anything else that a registry said.
    Refused,
}

/// What a registry said: one entry of its JSON of errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP's status.
    pub status: u16,
    /// "MANIFEST_UNKNOWN".
    pub code: String,
    /// What it means.
    pub message: String,
    /// When it may be tried again, if it said so.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.code.is_empty() {
            return f.write_str(&self.message);
        }
        write!(f, "{}: {}", self.code.to_lowercase().replace('_', " "), self.message)
    }
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// No answer.
    #[error("{method} \"{url}\": {words}")]
    Transport {
        /// "Get", as Go writes it.
        method: &'static str,
        /// Of what.
        url: String,
        /// Why, in Go's words where it has any.
        words: String,
    },
    /// It wants a name and a password, and there are none.
    #[error("{method} \"{url}\": no basic auth credentials")]
    NoCredentials {
        /// "Head", as Go writes it.
        method: &'static str,
        /// Of what.
        url: String,
    },
    /// The registry said no.
    #[error("{0}")]
    Refused(Refusal),
    /// The registry said no to a pull; dockerd has other words then.
    #[error("{}", not_pulled(.refusal, .name, .reference))]
    NotPulled {
        /// What it said.
        refusal: Refusal,
        /// The repository, as people write it.
        name: String,
        /// With its tag or digest.
        reference: String,
    },
    /// A login was refused.
    #[error("login attempt to {url} failed with status: {status}")]
    LoginRefused {
        /// What was asked.
        url: String,
        /// "401 Unauthorized".
        status: String,
    },
    /// The content is not what its digest says.
    #[error("filesystem layer verification failed for digest {wanted}")]
    WrongDigest {
        /// What was asked for.
        wanted: Digest,
        /// What came.
        found: Digest,
    },
    /// A manifest is not what its digest says.
    #[error("manifest verification failed for digest {wanted}")]
    WrongManifest {
        /// What was asked for.
        wanted: Digest,
        /// What came.
        found: Digest,
    },
    /// The content is longer or shorter than it should be.
    #[error("{digest} has {found} bytes and should have {wanted}")]
    WrongSize {
        /// Of what.
        digest: Digest,
        /// What the manifest says.
        wanted: u64,
        /// What came.
        found: u64,
    },
    /// More than anything of that kind has.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// What is the most.
        limit: usize,
    },
    /// It is no manifest.
    #[error("the manifest cannot be read: {0}")]
    Malformed(String),
    /// A manifest of 2015.
    #[error(
        "Docker Image Format v1 and Docker Image manifest version 2, schema 1 are not supported. Suggest the author of \
         {0} to upgrade the image to the OCI Format or Docker Image manifest v2, schema 2"
    )]
    Schema1(String),
    /// A layer that lies elsewhere.
    #[error("the image has a layer that is not in the registry ({0}), which is not supported")]
    ForeignLayer(String),
    /// Something else than an image.
    #[error("{0} is not the configuration of a container image")]
    NotAnImage(String),
    /// A manifest or layer of a kind that is unknown here.
    #[error("unsupported media type {0}")]
    MediaType(String),
    /// None of the index fits.
    #[error("no matching manifest for {0} in the manifest list entries")]
    NoPlatform(String),
    /// What is no platform.
    #[error("{0:?}: unknown operating system or architecture: invalid argument")]
    BadPlatform(String),
    /// What is no address of a mirror.
    #[error("invalid mirror: {0}")]
    BadMirror(String),
    /// What is no registry's name.
    #[error("invalid registry: {0:?} is neither a host nor a network")]
    BadRegistry(String),
    /// What is no address of a proxy.
    #[error("invalid proxy: {0:?}")]
    BadProxy(String),
    /// A number that makes no sense.
    #[error("{0} must be between 1 and {1}")]
    BadNumber(&'static str, u32),
    /// A file cannot be used.
    #[error("{what} {path}: {words}", path = .path.display())]
    File {
        /// What was done with it.
        what: &'static str,
        /// Which one.
        path: PathBuf,
        /// Why not.
        words: String,
    },
    /// A helper for credentials failed.
    #[error("error getting credentials - err: {words}, helper: docker-credential-{helper}")]
    Helper {
        /// Which one.
        helper: String,
        /// Why.
        words: String,
    },
    /// Reading what is to be sent failed.
    #[error("read what is to be sent: {0}")]
    Source(String),
    /// The search answered with another status.
    #[error("Unexpected status code {0}")]
    SearchStatus(u16),
}

impl RegistryError {
    /// What a caller decides by.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotPulled { .. } => ErrorKind::NotFound,
            Self::Refused(refusal) => match refusal.status {
                404 => ErrorKind::NotFound,
                401 | 403 => ErrorKind::Unauthorized,
                _ => ErrorKind::Refused,
            },
            Self::NoCredentials { .. } | Self::LoginRefused { .. } | Self::Helper { .. } => ErrorKind::Unauthorized,
            Self::Transport { .. } => ErrorKind::Unreachable,
            Self::WrongDigest { .. } | Self::WrongManifest { .. } | Self::WrongSize { .. } | Self::TooLarge { .. } => {
                ErrorKind::Corrupt
            }
            Self::Malformed(_) => ErrorKind::Corrupt,
            Self::Schema1(_) | Self::ForeignLayer(_) | Self::NotAnImage(_) | Self::MediaType(_) => {
                ErrorKind::Unsupported
            }
            Self::NoPlatform(_) => ErrorKind::NotFound,
            Self::BadPlatform(_)
            | Self::BadMirror(_)
            | Self::BadRegistry(_)
            | Self::BadProxy(_)
            | Self::BadNumber(..) => ErrorKind::Invalid,
            Self::File { .. } | Self::Source(_) | Self::SearchStatus(_) => ErrorKind::Refused,
        }
    }

    /// Whether the same may go well a little later, and when it is asked again at the earliest.
    #[must_use]
    pub fn passing(&self) -> Option<Option<Duration>> {
        match self {
            Self::Transport { .. } => Some(None),
            Self::Refused(refusal) if matches!(refusal.status, 408 | 429 | 500 | 502..=504) => {
                Some(refusal.retry_after)
            }
            _ => None,
        }
    }

    /// The words of a pull for what a registry said.
    #[must_use]
    pub fn of_pull(self, reference: &cove_names::Reference) -> Self {
        match self {
            Self::Refused(refusal)
                if matches!(refusal.code.as_str(), "DENIED" | "MANIFEST_UNKNOWN" | "NAME_UNKNOWN") =>
            {
                let (name, reference) = (reference.familiar_name(), reference.familiar());
                Self::NotPulled { refusal, name, reference }
            }
            other => other,
        }
    }

    pub(crate) fn file(what: &'static str, path: &std::path::Path, error: &io::Error) -> Self {
        Self::File { what, path: path.to_owned(), words: error.to_string() }
    }
}

/// moby's `notFoundError`.
fn not_pulled(refusal: &Refusal, name: &str, reference: &str) -> String {
    match refusal.code.as_str() {
        "DENIED" => {
            format!("pull access denied for {name}, repository does not exist or may require 'docker login': {refusal}")
        }
        "MANIFEST_UNKNOWN" => format!("manifest for {reference} not found: {refusal}"),
        _ => format!("repository {name} not found: {refusal}"),
    }
}
