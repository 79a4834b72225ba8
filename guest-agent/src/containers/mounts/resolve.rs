//! From what a creator says to one list of mounts, by dockerd's rules: one's own come before those of other containers,
//! and both before volumes without a name. Volumes are made, and in use by the container from here on.

use std::collections::BTreeMap;

use cove_proto::v1::{ContainerSpec, Mount, MountKind};

use super::{
    check::{MountError, clean, volumes_from},
    hold_key, is_anonymous,
};
use crate::{
    containers::{ContainersError, Engine, spec::SpecError, start::chain},
    volumes::{self, Volumes},
};

/// Makes the list of mounts of a new container.
///
/// # Errors
/// If a volume cannot be made, or a container or image is not there.
pub(in crate::containers) fn resolve(
    engine: &Engine,
    id: &str,
    spec: &mut ContainerSpec,
) -> Result<(), ContainersError> {
    let mut mounts = std::mem::take(&mut spec.mounts);
    for mount in &mut mounts {
        mount.target = clean(&mount.target);
        if !mount.source.is_empty() {
            // What has a name does not go with the container, whatever its labels say.
            mount.volume_labels.remove(Volumes::ANONYMOUS);
        }
    }
    for mount in of_others(engine, &spec.volumes_from)?.into_values() {
        if !is_taken(&mounts, &mount.target) {
            mounts.push(mount);
        }
    }
    for path in &spec.anonymous_volumes {
        let target = clean(path);
        if !is_taken(&mounts, &target) {
            mounts.push(Mount { kind: MountKind::Volume.into(), target, ..Default::default() });
        }
    }
    for (index, mount) in mounts.iter_mut().enumerate() {
        match mount.kind() {
            MountKind::Volume => make(engine, id, mount)?,
            MountKind::Image => drop(engine.images.hold(&mount.source, &hold_key(id, index))?),
            MountKind::Tmpfs | MountKind::Bind | MountKind::Unspecified => {}
        }
    }
    spec.mounts = mounts;
    Ok(())
}

fn is_taken(mounts: &[Mount], target: &str) -> bool {
    mounts.iter().any(|mount| mount.target == target)
}

/// What other containers see, by path. Of two at one path the later container's counts.
fn of_others(engine: &Engine, from: &[String]) -> Result<BTreeMap<String, Mount>, ContainersError> {
    let mut found = BTreeMap::new();
    for from in from {
        let (container, read_only) = volumes_from(from).map_err(SpecError::from)?;
        let entry = engine.index().find(container);
        let entry = entry.map_err(|error| SpecError::Mount(MountError::OtherContainer(chain(&error))))?;
        let view = entry.now();
        for (index, mount) in view.record.spec.mounts.iter().enumerate() {
            let mut mount = mount.clone();
            mount.read_only |= read_only;
            mount.no_copy = true;
            match mount.kind() {
                MountKind::Volume | MountKind::Bind => {}
                // The same image, whatever its name has come to mean meanwhile.
                MountKind::Image => mount.source = engine.images.held(&hold_key(&view.record.id, index))?.id,
                // Memory cannot be another container's.
                MountKind::Tmpfs | MountKind::Unspecified => continue,
            }
            found.insert(mount.target.clone(), mount);
        }
    }
    Ok(found)
}

/// Makes a mount's volume, or finds the one of its name. Its name is in the mount from here on.
fn make(engine: &Engine, id: &str, mount: &mut Mount) -> Result<(), ContainersError> {
    if !mount.source.is_empty() && is_anonymous(mount) {
        // Another container's.
        return Ok(engine.volumes.hold(&mount.source, id)?);
    }
    let wanted = volumes::Wanted {
        name: mount.source.clone(),
        driver: mount.volume_driver.clone(),
        options: mount.volume_options.clone().into_iter().collect(),
        labels: mount.volume_labels.clone().into_iter().collect(),
    };
    let volume = engine.volumes.create(wanted, Some(id))?;
    if mount.source.is_empty() {
        mount.volume_labels.insert(Volumes::ANONYMOUS.to_owned(), String::new());
    }
    mount.source = volume.record.name;
    volumes::DRIVER.clone_into(&mut mount.volume_driver);
    Ok(())
}
