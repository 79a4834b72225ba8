//! The host half of bind mounts: a server of the FUSE protocol over folders of this computer. It knows no machine:
//! messages of a guest's kernel come in, answers go out.
//!
//! * [`server`] — one shared folder or file: the operations, the nodes that the guest knows, what it has open.
//! * [`wire`] — the protocol: messages taken apart strictly, answers put together.
//! * [`host`] — what an operating system's files must be able to do, and the systems that can.
//! * [`ownership`] — whose files they are in the guest.
//! * [`watch`] — what happens on the host, and what the guest is told of it.
//! * [`errno`] — Linux's error numbers, which the guest understands whatever the host is.

pub mod errno;
pub mod host;
pub mod ownership;
pub mod server;
pub mod watch;
pub mod wire;
