//! Mounts of a container that goes.

use super::{container_of, images, is_anonymous, volumes};
use crate::{
    containers::{ContainersError, Engine, Record},
    volumes::VolumesError,
};

/// The container does not exist any more. With `and_volumes`, those that were made for it without a name go as well,
/// unless others use them. Goes on past what fails.
///
/// # Errors
/// The first thing that failed.
pub(in crate::containers) fn release(
    engine: &Engine,
    record: &Record,
    and_volumes: bool,
) -> Result<(), ContainersError> {
    engine.volumes.release(&record.id);
    let mut failed = release_images(engine, record).err();
    for mount in volumes(&record.spec.mounts).filter(|mount| and_volumes && is_anonymous(mount)) {
        match engine.volumes.remove(&mount.source, true) {
            Ok(()) | Err(VolumesError::InUse { .. }) => {}
            Err(error) => failed = failed.or(Some(error.into())),
        }
    }
    failed.map_or(Ok(()), Err)
}

fn release_images(engine: &Engine, record: &Record) -> Result<(), ContainersError> {
    for hold in images(&record.id, &record.spec.mounts) {
        engine.images.release(&hold)?;
    }
    Ok(())
}

/// The container that was being created will not exist.
///
/// # Errors
/// If something stays that should not.
pub(in crate::containers) fn abandon(engine: &Engine, id: &str) -> Result<(), ContainersError> {
    engine.volumes.abandon(id)?;
    // What images it held by then, for itself and for its mounts, is known to nobody but them.
    Ok(engine.images.retain(&|hold| container_of(hold) != id)?)
}

/// The container was there when the agent started: what it uses is in use. A volume that has gone meanwhile is missed when
/// the container starts.
pub(in crate::containers) fn restored(engine: &Engine, record: &Record) {
    for mount in volumes(&record.spec.mounts) {
        if let Err(error) = engine.volumes.hold(&mount.source, &record.id) {
            tracing::warn!(container = %record.id, %error, "a container's volume is not there");
        }
    }
}
