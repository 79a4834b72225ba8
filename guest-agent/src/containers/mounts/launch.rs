//! Mounts of a container that starts, runs, and has ended.

use cove_proto::v1::MountKind;

use super::{check::memory, hold_key, images, share::Opened, volumes};
use crate::{
    containers::{ContainersError, Engine, Record, spec::SpecError},
    processes::launch::{MountLaunch, MountSource},
    shares::SharesError,
    volumes::MountedAt,
};

/// What it takes to mount them, in the order in which they are attached: what is below another comes after it.
///
/// # Errors
/// If a volume or an image is not there.
pub(in crate::containers) fn launches(
    engine: &Engine,
    record: &Record,
    opened: &Opened,
) -> Result<Vec<MountLaunch>, ContainersError> {
    let mut launches = Vec::with_capacity(record.spec.mounts.len());
    for index in 0..record.spec.mounts.len() {
        launches.push(launch(engine, record, opened, index)?);
    }
    launches.sort_by_key(|launch| launch.target.matches('/').count());
    Ok(launches)
}

fn launch(engine: &Engine, record: &Record, opened: &Opened, index: usize) -> Result<MountLaunch, ContainersError> {
    let mount = &record.spec.mounts[index];
    let subpath = mount.subpath.clone();
    let source = match mount.kind() {
        MountKind::Volume => MountSource::Folder { path: engine.volumes.mountpoint(&mount.source), subpath },
        MountKind::Image => {
            let layers = engine.images.held(&hold_key(&record.id, index))?.layers;
            MountSource::Layers { layers, subpath }
        }
        MountKind::Bind => {
            let path = opened.get(&index).cloned().ok_or(SharesError::NoHost)?;
            MountSource::Host { path, shown: mount.source.clone() }
        }
        MountKind::Tmpfs | MountKind::Unspecified => {
            let memory = memory(mount).map_err(|error| {
                SpecError::Mount(super::check::MountError::Config { kind: "tmpfs", why: error.into() })
            })?;
            MountSource::Memory(memory)
        }
    };
    let shared = matches!(mount.propagation.as_str(), "shared" | "rshared");
    Ok(MountLaunch { target: mount.target.clone(), source, read_only: mount.read_only, shared })
}

/// The container starts: its volumes are there when this returns. After an error none is in use by it.
///
/// # Errors
/// If a volume is not there or cannot be mounted.
pub(in crate::containers) fn started(engine: &Engine, record: &Record) -> Result<(), ContainersError> {
    for mount in volumes(&record.spec.mounts) {
        let at = MountedAt { volume: &mount.source, destination: &mount.target, read_write: !mount.read_only };
        if let Err(error) = engine.volumes.mount(&record.id, at) {
            stopped(engine, record);
            return Err(error.into());
        }
    }
    images(&record.id, &record.spec.mounts).for_each(|hold| engine.images.set_running(&hold, true));
    Ok(())
}

/// The container runs since before the agent started.
pub(in crate::containers) fn adopted(engine: &Engine, record: &Record) {
    volumes(&record.spec.mounts).for_each(|mount| engine.volumes.mounted(&record.id, &mount.source));
    images(&record.id, &record.spec.mounts).for_each(|hold| engine.images.set_running(&hold, true));
    for mount in record.spec.mounts.iter().filter(|mount| mount.kind() == MountKind::Bind) {
        if !engine.shares.adopt(&record.id, &mount.share_id) {
            tracing::warn!(
                container = record.name,
                folder = mount.source,
                "a folder of this computer that the container sees was lost with an agent that ended; it is there again \
                 once the container is restarted"
            );
        }
    }
}

/// The container has ended, or did not start.
pub(in crate::containers) fn stopped(engine: &Engine, record: &Record) {
    volumes(&record.spec.mounts).for_each(|mount| engine.volumes.unmount(&record.id, &mount.source));
    images(&record.id, &record.spec.mounts).for_each(|hold| engine.images.set_running(&hold, false));
}
