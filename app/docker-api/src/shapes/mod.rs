//! The JSON of Docker's API 1.51: every key that clients know, null, `[]` and `{}` where dockerd has them.
//!
//! * [`container`] — `docker inspect` of a container, from `container_state`, `container_config`, `host_config`,
//!   `life` and `network_settings`.
//! * [`container_summary`] — a row of `docker ps`.
//! * [`stats`] — what a container uses.
//! * [`exec`] — an exec; [`event`] — an event.
//! * [`network`] — a network.
//! * `mounts` — what is mounted in a container. [`volume`] — a volume.
//! * [`image`] — an image, whole and as a row; [`image_history`] — how it was made; [`usage`] — what they take;
//!   [`progress`] — how far one of its layers is on its way.

pub(crate) mod container;
mod container_config;
mod container_state;
pub(crate) mod container_summary;
pub(crate) mod event;
pub(crate) mod exec;
mod host_config;
pub(crate) mod image;
pub(crate) mod image_history;
mod life;
mod mounts;
pub(crate) mod network;
mod network_settings;
mod ports;
pub(crate) mod progress;
pub(crate) mod stats;
pub(crate) mod usage;
pub(crate) mod volume;

use serde_json::{Value, json};

/// A list, or null when it is empty: Go's nil slice.
pub(crate) fn list_or_null<T: serde::Serialize>(list: &[T]) -> Value {
    if list.is_empty() { Value::Null } else { json!(list) }
}
