//! A client of OCI registries, as the distribution specification and Docker's older words for it have them. It knows
//! nothing of machines and agents: bytes come out of it and go into it.
//!
//! * [`Registries`] — all registries, as this user reaches them: what is remembered between two calls.
//! * [`repository`] — one repository at one endpoint: every request to a registry goes through it.
//! * [`endpoints`] — which hosts are asked for a name, in which order, and how far they are trusted.
//! * [`auth`] — credentials, where they come from, and what a registry makes of them.
//! * [`manifests`] — what an image is made of, and which of several is meant.
//! * [`blobs`] — configurations and layers: down, resumed where a connection broke, and up.
//! * [`search`] — Docker Hub's search.
//! * [`settings`] — what the user decides.
//! * `transport` — HTTP, TLS, proxies, and what went wrong in the words that Docker's users know.
//! * [`error`] — what went wrong.

pub mod auth;
pub mod blobs;
pub mod endpoints;
pub mod error;
pub mod manifests;
pub mod registries;
pub mod repository;
pub mod search;
pub mod settings;
mod transport;

pub use auth::Credentials;
pub use cove_names::{Digest, Reference};
pub use error::{ErrorKind, RegistryError};
pub use registries::{Patience, Registries, Surroundings};
pub use repository::Repository;
pub use settings::RegistrySettings;
pub use transport::proxies::Proxies;
