//! The services of `cove.v1`: decode, one call, encode. Errors become statuses in [`error`].

mod chunks;
pub mod containers;
mod error;
pub mod events;
pub mod execs;
pub mod files;
pub mod guest;
pub mod host;
pub mod images;
pub mod networks;
pub mod shares;
pub mod volumes;
