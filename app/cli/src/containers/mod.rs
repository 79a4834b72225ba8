//! Commands about containers.

mod attach;
mod life;
mod mounts;
mod spec;

pub(crate) mod commit;
pub(crate) mod cp;
pub(crate) mod diff;
pub(crate) mod exec;
pub(crate) mod export;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod pause;
mod ports;
pub(crate) mod prune;
pub(crate) mod remove;
pub(crate) mod run;
pub(crate) mod stats;
pub(crate) mod update;

/// docker's word when the user has typed the keys that let go of a terminal.
const DETACHED: &str = "read escape sequence";

/// The exit code of this program for that of a container's: the low eight bits, as the system would keep of it.
fn exit_code(code: i32) -> u8 {
    u8::try_from(code & 0xff).unwrap_or(u8::MAX)
}
