//! The union of an image's layers and a writable one.

use std::{
    os::fd::{BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen},
};

use super::{mounts::detached_copy, pivot::STAGE};
use crate::{processes::LaunchError, user_namespaces};

/// Makes the union, attached nowhere. `layers` are the highest first; without any, the writable one is all there is. With a
/// user namespace, files are owned by whom it takes their owners for.
///
/// # Errors
/// Which of them the kernel refuses, and why.
pub fn mount(
    layers: &[PathBuf],
    upper: &Path,
    work: &Path,
    user_namespace: Option<BorrowedFd<'_>>,
) -> Result<OwnedFd, LaunchError> {
    let Some(user_namespace) = user_namespace else { return union(layers, upper, work) };
    let below = |path: &Path| remapped(path, user_namespace);
    let layers = layers.iter().map(|layer| below(layer)).collect::<Result<Vec<_>, _>>()?;
    let (upper, work) = (below(upper)?, below(work)?);
    let mounted = user_namespaces::as_root_of_containers(|| union(&layers, &upper, &work));
    mounted.map_err(|source| LaunchError::Rootfs { what: "mount the root file system".into(), source })?
}

fn remapped(path: &Path, user_namespace: BorrowedFd<'_>) -> Result<PathBuf, LaunchError> {
    let what = || format!("map the owners of {}", path.display());
    user_namespaces::below_disk(path, user_namespace).map_err(|source| LaunchError::Rootfs { what: what(), source })
}

fn union(layers: &[PathBuf], upper: &Path, work: &Path) -> Result<OwnedFd, LaunchError> {
    if layers.is_empty() {
        let open = || detached_copy(rustix::fs::open(upper, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?);
        return open().map_err(failed(format!("open the writable layer {}", upper.display())));
    }
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(failed("open overlayfs"))?;
    let set = |name: &str, value: &Path| {
        let what = format!("overlayfs: set {name} to {}", value.display());
        fsconfig_set_string(&context, name, value).map_err(failed(what))
    };
    set("source", Path::new("overlay"))?;
    for layer in layers {
        // One at a time: together they would not fit into the 4096 bytes of an option.
        set("lowerdir+", layer)?;
    }
    set("upperdir", upper)?;
    set("workdir", work)?;
    // What an image says in extended attributes must not redirect lookups, and a layer is used by many at once.
    for option in ["index", "metacopy"] {
        set(option, Path::new("off"))?;
    }
    fsconfig_create(&context).map_err(failed("mount the root file system"))?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
        .map_err(failed("mount the root file system"))
}

/// The union of an image's layers, read-only, attached nowhere. `layers` are the highest first. With a user namespace, files
/// are owned by whom it takes their owners for.
///
/// # Errors
/// Which of them the kernel refuses, and why.
pub fn read_only(layers: &[PathBuf], user_namespace: Option<BorrowedFd<'_>>) -> Result<OwnedFd, LaunchError> {
    let Some(user_namespace) = user_namespace else { return read_only_union(layers) };
    let layers = layers.iter().map(|layer| remapped(layer, user_namespace)).collect::<Result<Vec<_>, _>>()?;
    read_only_union(&layers)
}

fn read_only_union(layers: &[PathBuf]) -> Result<OwnedFd, LaunchError> {
    let refused = || failed("mount the files of an image");
    if layers.is_empty() {
        return super::mounts::new("tmpfs", &[("size", "4k"), ("mode", "0755")], MountAttrFlags::MOUNT_ATTR_RDONLY)
            .map_err(refused());
    }
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(failed("open overlayfs"))?;
    fsconfig_set_string(&context, "source", "overlay").map_err(refused())?;
    // Without a writable layer overlayfs wants two others: an empty folder is the lowest.
    for layer in layers.iter().map(PathBuf::as_path).chain([Path::new(STAGE)]) {
        let what = format!("overlayfs: set lowerdir+ to {}", layer.display());
        fsconfig_set_string(&context, "lowerdir+", layer).map_err(failed(what))?;
    }
    for option in ["index", "metacopy"] {
        fsconfig_set_string(&context, option, "off").map_err(refused())?;
    }
    fsconfig_create(&context).map_err(refused())?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_RDONLY).map_err(refused())
}

fn failed(what: impl Into<String>) -> impl FnOnce(Errno) -> LaunchError {
    let what = what.into();
    |errno| LaunchError::Rootfs { what, source: errno.into() }
}
