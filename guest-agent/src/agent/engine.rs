//! Opening the engine on a data disk, in the order in which its parts stand on one another.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;

use super::{
    facts::{self, Facts},
    settings::Settings,
};
use crate::{
    containers::{Containers, Ground, database_path, program::as_program},
    events::Events,
    execs::{self, Execs},
    host::Host,
    images::{ImageStore, StoreConfig},
    networks::Networks,
    processes::{Kept, Kind, Process, Processes},
    shares::{self, Shares},
    state::Database,
    volumes::Volumes,
};

/// The archive of the images that come with the VM.
const BUILT_IN: &str = "/usr/share/cove/hello.tar";

/// Where the events of this boot are kept, in memory.
const EVENTS: &str = "/run/cove.events";

/// Where the places of containers on networks are noted for the next agent of this boot, in memory.
const ENDPOINTS: &str = "/run/cove.endpoints";

/// The engine, open.
pub(super) struct Engine {
    pub(super) facts: Facts,
    pub(super) database: Database,
    pub(super) images: ImageStore,
    pub(super) containers: Containers,
    pub(super) execs: Execs,
    pub(super) volumes: Volumes,
    pub(super) networks: Networks,
    pub(super) shares: Shares,
    pub(super) events: Events,
}

/// What lies on the data disk.
struct OnDisk {
    facts: Facts,
    database: Database,
    images: ImageStore,
    volumes: Volumes,
}

/// What an earlier agent has left with PID 1.
pub(super) struct Left {
    pub(super) held: Vec<Process>,
    pub(super) kept: Kept,
}

/// Opens the engine on the disk mounted at `root`, and takes over what PID 1 holds.
pub(super) async fn open(
    root: PathBuf,
    settings: Settings,
    host: Host,
    processes: &Processes,
    Left { held, kept }: Left,
) -> anyhow::Result<Engine> {
    let (on_disk, events) = (root.clone(), Events::open(Path::new(EVENTS)).context("the events of this boot")?);
    let told = events.clone();
    let opened = tokio::task::spawn_blocking(move || open_disk(&on_disk, settings, told)).await?;
    let OnDisk { facts, database, images, volumes } = opened?;
    let (first, further): (Vec<_>, Vec<_>) = held.into_iter().partition(|process| *process.kind() == Kind::Container);
    let first: HashMap<_, _> =
        first.into_iter().map(|process| (process.id().to_owned(), as_program(process))).collect();
    let running = first.iter().map(|(id, program)| (id.clone(), program.pid())).collect();
    let (of_networks, told) = (database.clone(), events.clone());
    let of_shares = host.clone();
    let opened =
        tokio::task::spawn_blocking(move || Networks::open(&of_networks, Path::new(ENDPOINTS), &running, told, host))
            .await?;
    let networks = opened.context("the networks")?;
    let shares = Shares::new(Path::new(shares::FOLDER), of_shares, Arc::new(processes.clone()));
    shares.restore(kept);
    let ground = Ground {
        root,
        database: database.clone(),
        images: Arc::new(images.clone()),
        volumes: volumes.clone(),
        networks: networks.clone(),
        shares: shares.clone(),
        launcher: Arc::new(processes.clone()),
        boot: facts.boot_id.clone(),
        cpus: facts.cpus,
        user_namespaces: settings.user_namespaces,
        events: events.clone(),
    };
    let containers = Containers::open(ground, first).await?;
    for process in further {
        let has_terminal = process.stdio().terminal.is_some();
        tokio::spawn(execs::abandon(as_program(process), has_terminal));
    }
    Ok(Engine {
        facts,
        database,
        images,
        volumes,
        networks,
        shares,
        execs: Execs::new(containers.clone()),
        containers,
        events,
    })
}

fn open_disk(root: &Path, settings: Settings, events: Events) -> anyhow::Result<OnDisk> {
    let database = Database::open(&database_path(root))?;
    let config =
        StoreConfig { builtin_archive: Some(BUILT_IN.into()), events: events.clone(), ..StoreConfig::new(root) };
    let images = ImageStore::open(config, database.shared())?;
    let facts = Facts {
        disk: root.to_owned(),
        boot_id: facts::boot_id()?,
        engine_id: facts::engine_id(&database)?,
        cpus: std::thread::available_parallelism()?.get(),
        user_namespaces: settings.user_namespaces,
        warnings: Vec::new(),
    };
    let volumes = Volumes::open(root, &database, events)?;
    Ok(OnDisk { facts, database, images, volumes })
}
