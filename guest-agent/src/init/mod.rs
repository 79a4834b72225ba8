//! PID 1.

pub mod packet;
pub mod protocol;

use std::process::ExitCode;

/// x
#[must_use]
pub fn run() -> ExitCode { ExitCode::FAILURE }
