//! coved: owns the machine, serves cove.v1 and the Docker API to this user.

use std::process::ExitCode;

fn main() -> ExitCode {
    cove_daemon::command::main()
}
