//! The Docker API over real HTTP, before an engine that plays back.
//!
//! * `client` — writes a request and reads the answer, octet by octet where that matters.
//! * `engine` — `cove.v1` with canned data; remembers what it was asked.
//! * the rest — what is checked.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says by a panic what is wrong")]

mod client;
mod engine;

mod errors;
mod events;
mod files;
mod golden;
mod hijacked;
mod images;
mod networks;
mod registry;
mod stats;
mod streams;
mod system;
mod volumes;
