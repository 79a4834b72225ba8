//! From a registry to the agent.
//!
//! ```text
//! resolve ─▶ there already? ─▶ end
//!    │ no
//!    ▼
//! manifest ─▶ the platform's image ─▶ configuration ─▶ the agent says what is missing ─▶ layers, several at once ─▶ commit
//! ```
//!
//! A pull belongs to those who wait for it: callers who want the same join it, and with the last of them it ends.
//!
//! * `fetch` — the steps. `layer` — one layer, from the network to the agent.

mod fetch;
mod layer;

use std::sync::Arc;

use cove_names::Reference;
use cove_registry::{Credentials, manifests::platform::Platform};

use super::{Transfers, progress::Transfer};

/// What is wanted: who wants the same shares one download.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// Which image, with its tag or digest.
    pub reference: Reference,
    /// For which platform; the guest's if none.
    pub platform: Option<Platform>,
    /// Who asks.
    pub credentials: Credentials,
}

/// The manifest is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// "library/alpine".
    pub path: String,
    /// The tag, or the digest.
    pub tag: String,
}

/// The image is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Digest of what the reference leads to.
    pub digest: String,
    /// "alpine:latest".
    pub reference: String,
    /// Whether it had led there before.
    pub up_to_date: bool,
    /// The image's id.
    pub id: String,
    /// That it is for another platform than was asked for; empty otherwise.
    pub warning: String,
}

/// A pull.
pub type Pull = Transfer<Begun, Done>;

pub(super) fn begin(transfers: Arc<Transfers>, wanted: Wanted) -> Arc<Pull> {
    Arc::new(Transfer::begin(|book| async move { fetch::fetch(&transfers, &wanted, &book).await }))
}
