//! One binary, five lives: PID 1, the agent, (as a child of PID 1, without executing anything in between) the first steps
//! of a container, the init of a container that asks for one, and what holds a user namespace while it is made.

use std::process::ExitCode;

use cove_guest::{container_init::reaper, state::StateError, user_namespaces};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    if arguments.next().is_some_and(|name| name == reaper::PATH) {
        return reaper::run(arguments);
    }
    match std::env::args().nth(1).as_deref() {
        Some("agent") => agent(),
        Some(user_namespaces::HOLDER) => user_namespaces::hold(arguments.skip(1)),
        _ if cove_guest::init::is_wanted() => cove_guest::init::run(),
        _ => {
            complain("cove-guest is the first process of Cove's virtual machine; it does nothing elsewhere");
            ExitCode::from(2)
        }
    }
}

fn agent() -> ExitCode {
    match cove_guest::agent::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // With this word the host does not wait for another agent.
            let is_final = error.downcast_ref::<StateError>().is_some_and(StateError::is_final);
            complain(&format!("{}{error:#}", if is_final { "fatal: " } else { "" }));
            ExitCode::FAILURE
        }
    }
}

/// Standard error is all there is here; when it is closed there is nobody to tell.
fn complain(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "cove-guest: {text}");
}
