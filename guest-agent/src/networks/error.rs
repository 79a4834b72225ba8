//! Why a network is not to be had, in Docker's words where it has some.

use std::{io, net::Ipv4Addr, path::PathBuf};

use crate::{names, state::StateError};

/// Why a network is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum NetworksError {
    /// Neither a name nor an id, nor the beginning of one.
    #[error("network {0} not found")]
    NotFound(String),
    /// The beginning of several ids.
    #[error("network {0} is ambiguous (2 matches found based on ID prefix)")]
    Ambiguous(String),
    /// A filter makes no sense.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// Every address is taken.
    #[error("no available IPv4 addresses on this network's address pools: {name} ({id})")]
    NoAddress {
        /// The network.
        name: &'static str,
        /// Its id.
        id: String,
    },
    /// The namespace of a container cannot be made.
    #[error("cannot make a network namespace for {address}: {step}")]
    Namespace {
        /// The address that it was to have.
        address: Ipv4Addr,
        /// What failed.
        step: &'static str,
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
    /// The bridge cannot be made.
    #[error("cannot make the bridge docker0: {step}")]
    Bridge {
        /// What failed.
        step: &'static str,
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
    /// A link cannot be taken away.
    #[error("cannot cut the link {link}")]
    Cut {
        /// Its name in the guest.
        link: String,
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
    /// What a container has cannot be written down or read.
    #[error("cannot {action} {path}")]
    Lease {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no thread to be had.
    #[error("cannot make a thread for networks")]
    Thread(#[source] io::Error),
    /// There is no id to be had.
    #[error("no id for a network")]
    Id(#[source] names::NoRandomness),
    /// The database failed.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Why a filter makes no sense.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// No such key.
    #[error("invalid filter '{0}'")]
    Key(String),
    /// A value that the key does not have.
    #[error("invalid filter '{key}={value}'")]
    Value {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
    },
}
