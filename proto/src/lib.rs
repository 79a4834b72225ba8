//! The wire between the halves of Cove and to its clients.
//!
//! * [`v1`] — `cove.v1`, generated from `proto/cove/v1` and committed; `cargo test -p cove-proto` finds drift.
//! * [`boot_secret`] — how the daemon and the agent prove to each other that they belong to the same boot.
//! * [`datagrams`] — datagrams as messages of raw streams.
//! * [`paced`] — writes in the sizes that every vsock carries whole.
//! * [`ports`] — the vsock ports of the guest.
//! * [`streams`] — raw streams between the halves: bytes and messages in frames, with an end in either direction.

pub mod boot_secret;
pub mod boot_settings;
pub mod datagrams;
pub mod paced;
pub mod ports;
pub mod streams;

/// `cove.v1`: messages, clients and servers.
#[allow(missing_docs, clippy::all, clippy::pedantic, unreachable_pub, rust_2018_idioms)]
#[rustfmt::skip]
#[path = "generated/cove.v1.rs"]
pub mod v1;

/// The descriptors of `cove.v1` (a serialized `google.protobuf.FileDescriptorSet`), for reflection and for telling
/// streaming methods from unary ones.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/descriptors.binpb");

/// Name of the metadata by which a call says that it is no reason to start a stopped machine; its value does not matter.
/// UNAVAILABLE: the machine does not run.
pub const NO_WAKE: &str = "cove-no-wake";
