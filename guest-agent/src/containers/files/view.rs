//! The tree that is looked at. Of a container that runs it is what its first process sees; of one that does not, its
//! layers and volumes are put together in a mount namespace of one thread, and are gone with that thread. While that is so
//! the container does not start: two mounts of one writable layer would get in each other's way.

use std::{
    fs::File,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    thread,
};

use nix::sched::{CloneFlags, setns, unshare};
use rustix::fs::{CWD, Mode, OFlags, openat};
use tokio::sync::oneshot;

use cove_proto::v1::MountKind;

use super::{FilesError, root::Root};
use crate::{
    containers::{Containers, ContainersError, Engine, Record, blocking, etc, mounts, program::Program},
    processes,
    rootfs::{self, beside, mounts::detached_copy, overlay, pivot},
    user_namespaces::{Owners, as_root_of_containers},
};

/// Which files are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// With volumes and what the engine puts into /etc.
    All,
    /// The root file system alone.
    Own,
}

impl Containers {
    /// Looks at the files of a container as its program sees them.
    pub(super) async fn with_files<T: Send + 'static>(
        &self,
        container: &str,
        look: impl FnOnce(&Root) -> Result<T, FilesError> + Send + 'static,
    ) -> Result<T, ContainersError> {
        self.with_view(container, Scope::All, look).await
    }

    /// Looks at the files of a container.
    pub(super) async fn with_view<T: Send + 'static>(
        &self,
        container: &str,
        scope: Scope,
        look: impl FnOnce(&Root) -> Result<T, FilesError> + Send + 'static,
    ) -> Result<T, ContainersError> {
        let entry = self.find(container)?;
        let named = container.to_owned();
        let look = move |root: &Root| look(root).map_err(|error| ContainersError::from(error.in_container(&named)));
        // Held until the end if it does not run, so that it does not start meanwhile.
        let idle = Arc::clone(&entry.idle).read_owned().await;
        let program = entry.now().program.clone();
        match (program, scope) {
            (Some(program), Scope::All) => {
                drop(idle);
                let pid = program.pid();
                blocking(move || match owners(program.as_ref())? {
                    Owners::Own => look(&running(pid)?),
                    // What is made is made by its root.
                    owners => as_root_of_containers(|| look(&running(pid)?.seen_by(owners))).map_err(failed)?,
                })
                .await
            }
            (Some(program), Scope::Own) => {
                drop(idle);
                let pid = program.pid();
                on_thread(move || {
                    let owners = owners(program.as_ref())?;
                    look(&root_alone(pid)?.seen_by(owners))
                })
                .await
            }
            (None, scope) => {
                let (engine, record) = (Arc::clone(&self.0), entry.now().record.clone());
                let opened = match scope {
                    Scope::All => mounts::open(&engine, &record).await?,
                    Scope::Own => mounts::Opened::default(),
                };
                let (shares, id) = (engine.shares.clone(), record.id.clone());
                let looked = on_thread(move || {
                    let looked = stopped(&engine, &record, scope, &opened, look);
                    Ok((looked, idle))
                });
                let looked = looked.await;
                // Not on that thread: it has mounts of its own.
                let (looked, _idle) = blocking(move || {
                    shares.close(&id);
                    looked
                })
                .await?;
                looked
            }
        }
    }
}

/// Runs what changes the namespaces of its thread on a thread of its own.
async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ContainersError> + Send + 'static,
) -> Result<T, ContainersError> {
    let (tell, told) = oneshot::channel();
    let run = move || {
        // Whoever asked may have left.
        let _left = tell.send(work());
    };
    thread::Builder::new().name("files".to_owned()).spawn(run).map_err(failed)?;
    told.await.unwrap_or(Err(ContainersError::ShuttingDown))
}

/// By which ids the agent sees the files of a container that runs: those of one that does not, it puts together itself.
fn owners(program: &dyn Program) -> Result<Owners, ContainersError> {
    let has_map = program.user_namespace().map_err(failed)?.is_some();
    Ok(if has_map { Owners::Mapped } else { Owners::Own })
}

/// What the first process of a container that runs sees.
fn running(pid: u32) -> Result<Root, ContainersError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(CWD, format!("/proc/{pid}/root"), flags, Mode::empty()).map_err(failed)?;
    Root::new(root).map_err(failed)
}

/// The root file system of a container that runs, without what is mounted in it.
fn root_alone(pid: u32) -> Result<Root, ContainersError> {
    let namespace = File::open(format!("/proc/{pid}/ns/mnt")).map_err(failed)?;
    unshare(CloneFlags::CLONE_FS).map_err(failed)?;
    setns(namespace, CloneFlags::CLONE_NEWNS).map_err(failed)?;
    let copy = openat(CWD, "/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).and_then(detached_copy);
    Root::new(copy.map_err(failed)?).map_err(failed)
}

fn stopped<T>(
    engine: &Engine,
    record: &Record,
    scope: Scope,
    opened: &mounts::Opened,
    look: impl FnOnce(&Root) -> Result<T, ContainersError>,
) -> Result<T, ContainersError> {
    let folder = engine.folders.of(&record.id);
    let layers = engine.images.held(&record.id)?.layers;
    unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS).map_err(failed)?;
    let tree = overlay::mount(&layers, &folder.upper(), &folder.work(), None).map_err(failed)?;
    let root = pivot::stage(tree).map_err(failed)?;
    if scope == Scope::Own {
        return look(&Root::new(root).map_err(failed)?);
    }
    mounts::started(engine, record)?;
    let looked = attach(engine, record, opened, &root).and_then(|()| look(&Root::new(root).map_err(failed)?));
    mounts::stopped(engine, record);
    looked
}

/// Attaches what the container sees beside its root file system and lasts: memory does not.
fn attach(engine: &Engine, record: &Record, opened: &mounts::Opened, root: &OwnedFd) -> Result<(), ContainersError> {
    let lasting = |target: &str| {
        record.spec.mounts.iter().any(|mount| mount.target == target && mount.kind() != MountKind::Tmpfs)
    };
    let (mut setups, mut mounted) = (Vec::new(), Vec::new());
    for launch in mounts::launches(engine, record, opened)? {
        if lasting(&launch.target) {
            let (setup, mount) = processes::beside::prepare(launch, None).map_err(failed)?;
            setups.push(setup);
            mounted.push(mount);
        }
    }
    beside::mount(root, &setups, mounted).map_err(failed)?;
    let files = etc::files(&engine.folders.of(&record.id));
    let paths = [files.hostname, files.hosts, files.resolv_conf];
    let open = |path: &std::path::PathBuf| openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    // Before the first start there are none.
    let [Ok(hostname), Ok(hosts), Ok(resolv_conf)] = [open(&paths[0]), open(&paths[1]), open(&paths[2])] else {
        return Ok(());
    };
    let copies = [detached_copy(hostname), detached_copy(hosts), detached_copy(resolv_conf)];
    let [Ok(hostname), Ok(hosts), Ok(resolv_conf)] = copies else { return Ok(()) };
    rootfs::etc::mount(root.as_fd(), [hostname, hosts, resolv_conf], &setups).map_err(failed)
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> ContainersError {
    FilesError::View(Box::new(error)).into()
}
