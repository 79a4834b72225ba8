//! What goes wrong with folders of the host.

use std::io;

/// Why a folder of the host is not there.
#[derive(Debug, thiserror::Error)]
pub enum SharesError {
    /// Nobody serves them.
    #[error("the folders of this computer cannot be reached: the daemon did not call in time")]
    NoHost,
    /// The host says no.
    #[error("{0}")]
    Refused(String),
    /// The host says nothing.
    #[error("the daemon does not say whether a folder of this computer can be seen")]
    Silent,
    /// The kernel.
    #[error("mount a folder of this computer: {what}")]
    Mount {
        /// What it did not do.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Says what failed.
pub(super) fn failed<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> SharesError {
    move |error| SharesError::Mount { what, source: error.into() }
}
