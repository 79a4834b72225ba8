//! The program inside cove/hello: prints where it runs, so that the first container that somebody starts shows what is
//! shared with the machine (the kernel) and what is not. `--json` prints the same facts for programs.
//!
//! It depends on nothing but the standard library and reads only files; what cannot be read is said to be unknown.

mod facts;
mod json;
mod screen;

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

use facts::Facts;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let text = match arguments.as_slice() {
        [] => screen::render(&Facts::read()),
        [option] if option == "--json" => json::render(&Facts::read()),
        _ => {
            // Nobody is left to tell if even this fails.
            let _ = writeln!(io::stderr(), "usage: hello [--json]");
            return ExitCode::from(2);
        }
    };
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
