//! Whether the daemon is reached.

use serde::Serialize;

use super::failure::Failure;

/// `Engine` of bridge.ts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Engine {
    state: &'static str,
    failure: Option<Failure>,
    app_version: &'static str,
}

impl Engine {
    /// On the way, or being started.
    pub(crate) fn connecting() -> Self {
        Self::new("connecting", None)
    }

    /// Reached.
    pub(crate) fn connected() -> Self {
        Self::new("connected", None)
    }

    /// Not reached, and why.
    pub(crate) fn lost(failure: Failure) -> Self {
        Self::new("lost", Some(failure))
    }

    fn new(state: &'static str, failure: Option<Failure>) -> Self {
        Self { state, failure, app_version: env!("CARGO_PKG_VERSION") }
    }
}
