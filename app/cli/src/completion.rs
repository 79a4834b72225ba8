//! `cove completion`: a script that teaches a shell this command line.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::{failure::Outcome, output};

/// Arguments of `cove completion`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Which shell.
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut crate::arguments::Arguments::command(), "cove", &mut script);
    output::text(&String::from_utf8_lossy(&script))?;
    Ok(0)
}
