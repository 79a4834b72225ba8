//! Sockets and named pipes that only this user may open.
//!
//! * Unix: a socket with mode 0600 in a folder with mode 0700; each peer's user id is asked of the kernel as well
//!   (SO_PEERCRED, getpeereid), so that a mode changed by accident opens nothing.
//! * Windows: a named pipe that refuses remote clients. Its default access list gives full access to the user who made
//!   it, to SYSTEM and to administrators; others may at most read, which without writing gets no answer from us. Pipes
//!   have no half-close: shutting down the writing side of a stream there closes nothing.

mod endpoint;
mod listener;
mod stream;

pub use endpoint::{Endpoint, EndpointError};
pub use listener::{AcceptError, BindError, LocalListener};
pub use stream::LocalStream;
