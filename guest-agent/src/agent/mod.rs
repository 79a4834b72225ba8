//! The agent: the engine's process. This is its composition root.
//!
//! 1. the data disk, the database and the images on it ([`engine`]);
//! 2. the processes that PID 1 holds, taken over from an earlier agent;
//! 3. containers and execs, made true by them;
//! 4. raw streams ([`host`](crate::host)) and the services ([`serve`]) for those who prove to be the host's daemon ([`accept`]);
//! 5. word to PID 1 that the agent listens.
//!
//! It ends when the machine is to be powered off, which PID 1 then does, or when it cannot go on; then PID 1 starts it again.

pub mod accept;
mod engine;
pub mod facts;
mod serve;
mod settings;

use std::{
    io, mem,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use cove_proto::{boot_secret, boot_settings};

use crate::{
    disk::{self, DiskConfig},
    host::{self, Host},
    init::agent::inherited,
    processes::Processes,
    rlimits,
    rootfs::mounts::is_mount_point,
    sys::descriptors,
};

/// The runtime's threads: what they do never blocks, so more would only take memory.
const WORKERS: usize = 2;
/// Threads for what blocks: disks and files. They go when they are idle.
const BLOCKING_THREADS: usize = 64;

/// Runs the agent: what `cove-guest agent` does. Returns only when it cannot go on.
///
/// # Errors
/// Whatever kept it from serving.
pub fn run() -> anyhow::Result<()> {
    crate::sys::memory::give_large_back();
    log_to_console();
    let control = descriptors::inherited(inherited::CONTROL).context("the connection to PID 1")?;
    let listener = descriptors::inherited(inherited::RPC).context("the agent's port")?;
    let streams = descriptors::inherited(inherited::STREAMS).context("the port of raw streams")?;
    // Each client of a published port is two descriptors; the kernel's limit is 1024. The agent has that of its containers.
    rlimits::set(&[]).map_err(|(limit, errno)| anyhow::anyhow!("raise the limit {limit}: {errno}"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()?;
    // PID 1 ends an agent whose connection closes; this one is to say first why it cannot go on, and exits then.
    mem::forget(control.try_clone().context("the connection to PID 1")?);
    let ended = runtime.block_on(live(control, listener, streams));
    // What still blocks on a disk must not keep the next agent waiting.
    runtime.shutdown_background();
    ended
}

async fn live(control: OwnedFd, listener: OwnedFd, streams: OwnedFd) -> anyhow::Result<()> {
    let secret = accept::read_secret(Path::new(boot_secret::GUEST_PATH))?;
    let settings = settings::read(Path::new(boot_settings::GUEST_PATH))?;
    let root = tokio::task::spawn_blocking(|| mounted_disk(&DiskConfig::of_boot()?)).await??;
    let (processes, held, kept) = Processes::connect(control).await?;
    let host = Host::default();
    let engine = engine::open(root, settings, host.clone(), &processes, engine::Left { held, kept }).await?;
    let connections = accept::connections(listener, secret.clone())?;
    let clients = Arc::new(engine.networks.clone());
    tokio::spawn(host::streams::serve(host.clone(), clients, accept::connections(streams, secret)?));
    tokio::spawn(engine.networks.clone().keep_published());
    tokio::spawn(engine.networks.clone().keep_listeners());
    processes.listening().await;
    serve::serve(engine, host, connections).await?;
    processes.power_off().await;
    Ok(())
}

/// Where the data disk is mounted. An earlier agent of this boot has mounted it already, and what is mounted must be neither
/// checked nor mounted again.
fn mounted_disk(config: &DiskConfig) -> anyhow::Result<PathBuf> {
    if !is_mount_point(&config.mount_point) {
        disk::prepare(config)?;
    }
    Ok(config.mount_point.clone())
}

/// Standard error is the console, which the host keeps.
fn log_to_console() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false).without_time().init();
}
