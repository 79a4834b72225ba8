//! The way to the daemon, for programs of this user: `cove` and the window.
//!
//! * [`connection`] — [`Engine`]: the clients of `cove.v1` over this user's own socket or pipe.
//! * [`start`] — starting the daemon where none runs.
//! * [`error`] — why there is no way.

pub mod connection;
pub mod error;
pub mod start;

pub use connection::Engine;
pub use error::ClientError;
pub use start::Started;
