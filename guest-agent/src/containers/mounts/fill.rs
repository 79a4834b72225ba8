//! Filling the volumes of a new container with what its image has at their places.

use std::{os::fd::OwnedFd, path::PathBuf};

use cove_proto::v1::{ContainerSpec, Mount};
use rustix::fs::FileType;

use super::{check::MountError, is_anonymous, volumes};
use crate::{
    containers::{ContainersError, Engine, spec::SpecError, start::chain},
    rootfs::target,
};

/// Fills those that are empty, unless the creator does not want it. A part of a volume is never filled, as with dockerd.
///
/// # Errors
/// If something cannot be copied.
pub(in crate::containers) fn fill(
    engine: &Engine,
    spec: &ContainerSpec,
    layers: &[PathBuf],
) -> Result<(), ContainersError> {
    let mut root = None;
    for mount in volumes(&spec.mounts).filter(|mount| !mount.no_copy && mount.subpath.is_empty()) {
        if !engine.volumes.takes_filling(&mount.source)? {
            continue;
        }
        let root = match &mut root {
            Some(root) => root,
            none => none.insert(open(engine, layers)?),
        };
        refuse_file(root, mount)?;
        engine.volumes.fill(&mount.source, root, &mount.target)?;
    }
    Ok(())
}

fn open(engine: &Engine, layers: &[PathBuf]) -> Result<OwnedFd, ContainersError> {
    engine.launcher.open_layers(layers).map_err(|error| ContainersError::Start(chain(&error)))
}

/// Where the image has a file, no volume without a name can be.
fn refuse_file(root: &OwnedFd, mount: &Mount) -> Result<(), SpecError> {
    let is_folder = |place: &OwnedFd| target::kind(place).is_ok_and(|kind| kind == FileType::Directory);
    match target::find(root, &mount.target) {
        Ok(place) if is_anonymous(mount) && !is_folder(&place) => {
            Err(MountError::OverFile(mount.target.clone()).into())
        }
        _ => Ok(()),
    }
}
