//! The command line of `coved`.

use std::{io::Write, path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::Context;
use clap::{Parser, Subcommand};
use cove_machine::Deadlines;
use cove_platform::{
    home::Home,
    process::{self, StopRequests},
};
use tracing_subscriber::EnvFilter;

use crate::{
    compose::{Daemon, Parts, host_resources, surroundings},
    helper,
    image::GuestImage,
};

/// Name of the environment variable with the log filter, in the words of tracing's EnvFilter.
const LOG_VARIABLE: &str = "COVE_LOG";

/// Calls wait for each other's answers more than for a CPU; two threads serve them all in little memory.
const THREADS: usize = 2;

/// The blocking calls are short looks at files.
const BLOCKING_THREADS: usize = 8;

/// Owns the machine, serves cove.v1 and the Docker API to this user. Runs until it is told to stop.
#[derive(Debug, Parser)]
#[command(name = "coved", version)]
struct Arguments {
    /// Folder of this user's Cove [default: $COVE_HOME, else the platform's place].
    #[arg(long, value_name = "DIR")]
    home: Option<PathBuf>,
    #[command(subcommand)]
    program: Option<Program>,
}

#[derive(Debug, Subcommand)]
enum Program {
    /// The process that owns one virtual machine. The daemon starts it; nobody else has to.
    Machine(helper::Arguments),
}

/// `main`.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match log().and_then(|()| run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // With nobody to read it there is nothing more to be done.
            writeln!(std::io::stderr(), "{error:#}").ok();
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    if let Err(error) = process::raise_open_files() {
        tracing::warn!(%error, "the limit of open files stays what it is");
    }
    match arguments.program {
        None => daemon(arguments.home),
        Some(Program::Machine(arguments)) => helper::run(arguments).context("own the machine"),
    }
}

/// To stderr; whoever detaches this program leads that to a file.
fn log() -> anyhow::Result<()> {
    let words = std::env::var(LOG_VARIABLE).unwrap_or_else(|_| "info".to_owned());
    let filter = EnvFilter::try_new(&words).with_context(|| format!("understand {LOG_VARIABLE}={words}"))?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    Ok(())
}

fn daemon(home: Option<PathBuf>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .context("start the runtime")?;
    let served = runtime.block_on(serve(home));
    // A look at a file that hangs must not keep the process.
    runtime.shutdown_background();
    served
}

async fn serve(home: Option<PathBuf>) -> anyhow::Result<()> {
    let home = Home::find(home)?;
    let mut requests = StopRequests::listen().context("listen for signals")?;
    let parts = Parts {
        image: GuestImage::find().context("find this program's own place")?,
        hypervisor: Arc::new(helper::hypervisor().context("find this program's own place")?),
        host: host_resources().context("see what this host has")?,
        deadlines: Deadlines::default(),
        surroundings: surroundings(),
        home,
    };
    let daemon = Daemon::start(parts).await?;
    let why = requests.next().await;
    tracing::info!(why, "stopping the machine and then this process; once more ends the machine by force");
    let hurry = async {
        let why = requests.next().await;
        tracing::warn!(why, "ending the machine by force");
    };
    daemon.stop(hurry).await.context("stop the machine")?;
    tracing::info!("stopped");
    Ok(())
}
