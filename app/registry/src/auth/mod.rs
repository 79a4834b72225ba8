//! Credentials, where they come from, and what a registry makes of them.
//!
//! * [`docker_config`] — what `docker login` has left: `config.json` and the programs that it names.
//! * `login` — whether a registry knows somebody.
//! * `challenge` — what a registry demands. `tokens` — what its token server gives for it, and for how long.

pub(crate) mod challenge;
pub mod docker_config;
mod login;
pub(crate) mod tokens;

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;

/// Who asks. All empty: nobody in particular.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Credentials {
    /// Name of the user.
    pub username: String,
    /// Password, or a token that takes its place.
    pub password: String,
    /// A token that a token server has given for the password, and takes instead of it.
    pub identity_token: String,
    /// A token that the registry itself takes.
    pub registry_token: String,
}

/// Secrets are in no log.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Whether nobody in particular asks.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        *self == Self::default()
    }

    /// Whether there are a name and a password.
    pub(crate) fn has_password(&self) -> bool {
        !self.username.is_empty() && !self.password.is_empty()
    }

    /// The header of RFC 7617.
    pub(crate) fn basic(&self) -> Option<HeaderValue> {
        if !self.has_password() {
            return None;
        }
        secret(&format!("Basic {}", STANDARD.encode(format!("{}:{}", self.username, self.password))))
    }
}

/// The header of RFC 6750.
pub(crate) fn bearer(token: &str) -> Option<HeaderValue> {
    secret(&format!("Bearer {token}"))
}

fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
