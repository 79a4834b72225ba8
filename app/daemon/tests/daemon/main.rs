//! The daemon with a hypervisor in this process and a guest whose bytes each test sees.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy knows tests by their attribute; these are what tests call"
)]

mod fixture;
mod forwarding;
mod life;
mod program;
mod services;
mod strangers;
mod watch;
