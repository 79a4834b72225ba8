//! Shares as a real kernel sees them: this one's FUSE mounts them, and its messages go to the server.
//!
//! * `fixture` — the mount. * `files`, `names` — what programs do. * `owners` — whose the files are.
//! * `events` — what happens on the host.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "all of this is a test")]

mod events;
mod files;
mod fixture;
mod names;
mod owners;
