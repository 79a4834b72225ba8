//! `cove`: Cove from the command line. A client of `cove.v1` like any other; it knows nothing that a script could not
//! find out.
//!
//! * [`arguments`] — the command line: which commands there are.
//! * [`machine`], [`containers`], [`images`], [`networks`], [`volumes`], [`shares`] — a file per command, by noun and verb.
//! * [`egress`] — the way out of containers: `cove net`.
//! * [`registries`] — what `cove settings` has about registries.
//! * [`events`] — what happens to all of them.
//! * [`version`], [`explain`], [`completion`] — commands about Cove itself.
//! * [`engine`] — the way to the daemon, and starting it.
//! * [`docker`] — making the `docker` command use Cove.
//! * [`archive`] — archives that go to the engine and come from it.
//! * [`stdio`] — the streams between this terminal and a container.
//! * [`terminal`] — what differs between systems: raw mode, size, signals.
//! * [`quantities`] — quantities as people write them.
//! * [`output`] — tables, colours, numbers for people, JSON.
//! * [`failure`] — what failed, why, what to do, and the exit code.

mod archive;
mod arguments;
mod completion;
mod containers;
mod docker;
mod each;
mod egress;
mod engine;
mod events;
mod explain;
mod failure;
mod images;
mod machine;
mod networks;
mod output;
mod quantities;
mod registries;
mod shares;
mod stdio;
mod terminal;
mod version;
mod volumes;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{arguments::Arguments, failure::Failure};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::new("start").because(error).report(),
    };
    let outcome = runtime.block_on(arguments.run());
    // A read of the terminal that nobody waits for any more must not keep the program alive.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failure) => failure.report(),
    }
}
