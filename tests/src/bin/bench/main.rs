//! Measures Cove beside dockerd in the same kind of VM, in one run: `make bench`. What is measured and how is in
//! tests/bench/README.md.
//!
//! * [`cove`]: coved and its machine.
//! * [`peer`]: the VM with dockerd in it.
//! * [`docker`]: the few calls of the Docker API, the same for both.
//! * [`busybox`]: the image that both run.
//! * [`measure`]: what is done with them, in turns. [`images`]: with a large image.
//! * [`report`]: the numbers for people.

mod busybox;
mod cove;
mod docker;
mod images;
mod measure;
mod peer;
mod report;

use std::{
    env,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};

const USAGE: &str = "usage: bench --dist FOLDER --peer FOLDER [--busybox PROGRAM] [--runs N] [--row N] [--image-mib N] \
                     [--only containers|engine|images]";

/// What the bench is given.
#[derive(Debug)]
struct Arguments {
    /// The runnable tree with bin/coved and share/cove.
    dist: PathBuf,
    /// What tests/bench/peer/build.sh made.
    peer: PathBuf,
    /// A static busybox.
    busybox: PathBuf,
    /// How often each thing is measured.
    runs: usize,
    /// Containers in a row on the default network.
    row: usize,
    /// Size of the large image.
    image_mib: usize,
    /// What is measured, where it is not all.
    only: Option<Measured>,
}

/// A part of what is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measured {
    /// Lives of single containers.
    Containers,
    /// Output, memory, many containers at once.
    Engine,
    /// Pull and load.
    Images,
}

fn main() -> ExitCode {
    match run() {
        Ok(report) => {
            // A report that nobody takes is no failure of the measurement.
            let _ = io::stdout().write_all(report.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String> {
    let arguments = Arguments::parse(env::args().skip(1))?;
    let figures = measure::all(&arguments)?;
    Ok(report::render(&figures))
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let (mut dist, mut peer) = (None, None);
        let mut busybox = PathBuf::from("/bin/busybox");
        let (mut runs, mut row, mut image_mib, mut only) = (30, 200, 500, None);
        while let Some(option) = words.next() {
            let value = words.next().context(USAGE)?;
            match option.as_str() {
                "--dist" => dist = Some(value.into()),
                "--peer" => peer = Some(value.into()),
                "--busybox" => busybox = value.into(),
                "--runs" => runs = count(&option, &value)?,
                "--row" => row = count(&option, &value)?,
                "--image-mib" => image_mib = count(&option, &value)?,
                "--only" => only = Some(Measured::named(&value)?),
                _ => bail!(USAGE),
            }
        }
        let (dist, peer) = (dist.context(USAGE)?, peer.context(USAGE)?);
        Ok(Self { dist, peer, busybox, runs, row, image_mib, only })
    }

    /// Whether this part is to be measured.
    fn wants(&self, part: Measured) -> bool {
        self.only.is_none_or(|only| only == part)
    }
}

impl Measured {
    fn named(name: &str) -> Result<Self> {
        match name {
            "containers" => Ok(Self::Containers),
            "engine" => Ok(Self::Engine),
            "images" => Ok(Self::Images),
            _ => bail!(USAGE),
        }
    }
}

fn count(option: &str, value: &str) -> Result<usize> {
    value.parse().ok().filter(|&count| count > 0).with_context(|| format!("{option} wants a number above 0"))
}
