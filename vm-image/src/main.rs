//! `cove-vm-image`: the command line of the image builder.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use cove_vm_image::{
    arch::Arch,
    build::{self, Options},
    debian::mirror::Mirrors,
};

/// Builds the image that Cove's machine boots.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make vmlinux, initramfs.cpio and manifest.json. Needs apt (Debian or Ubuntu); costs nothing when nothing changed.
    Build(BuildArgs),
}

#[derive(Debug, Args)]
struct BuildArgs {
    /// Where the image is put [default: vm-image/<arch> in cargo's target folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The guest's architecture
    #[arg(long, value_enum, default_value_t = Arch::Amd64)]
    arch: Arch,
    /// Debian mirror [default: this host's own on Debian, else http://deb.debian.org/debian]
    #[arg(long, value_name = "URL", env = "COVE_DEBIAN_MIRROR")]
    mirror: Option<String>,
    /// Mirror of Debian's security updates, or "none" [default: this host's own on Debian, else beside the mirror]
    #[arg(long, value_name = "URL", env = "COVE_DEBIAN_SECURITY_MIRROR")]
    security_mirror: Option<String>,
    /// Debian release that kernel and tools come from
    #[arg(long, default_value = "trixie")]
    suite: String,
    /// Where packages are kept between builds [default: $XDG_CACHE_HOME/cove/vm-image or ~/.cache/cove/vm-image]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Use this agent, a static executable, instead of building it
    #[arg(long, value_name = "PATH")]
    agent: Option<PathBuf>,
    /// Leave the kernel compressed, as Debian ships it for amd64: what Intel Macs are known to boot (QEMU boots it slower)
    #[arg(long)]
    compressed_kernel: bool,
    /// Ask apt for newer packages; without it the ones of the last build are used again
    #[arg(long)]
    refresh: bool,
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if even this fails.
            let _ = writeln!(io::stderr(), "cove-vm-image: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let Command::Build(args) = cli.command;
    let built = build::run(&Options {
        out: args.out,
        arch: args.arch,
        mirrors: Mirrors { main: args.mirror, security: args.security_mirror },
        suite: args.suite,
        cache: args.cache,
        agent: args.agent,
        compressed_kernel: args.compressed_kernel,
        refresh: args.refresh,
    })?;
    let state = if built.up_to_date { "up to date" } else { "built" };
    writeln!(
        io::stdout(),
        "{state}: {} (kernel {}, {})",
        built.out.display(),
        built.manifest.kernel_release,
        built.manifest.digest
    )?;
    Ok(())
}
