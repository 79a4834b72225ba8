//! The union of an image's layers and a writable one.

use std::{
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen},
};

use super::{mounts::detached_copy, pivot::STAGE};
use crate::processes::LaunchError;

/// Makes the union, attached nowhere. `layers` are the highest first; without any, the writable one is all there is.
///
/// # Errors
/// Which of them the kernel refuses, and why.
pub fn mount(layers: &[PathBuf], upper: &Path, work: &Path) -> Result<OwnedFd, LaunchError> {
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

/// The union of an image's layers, read-only, attached nowhere. `layers` are the highest first.
///
/// # Errors
/// Which of them the kernel refuses, and why.
pub fn read_only(layers: &[PathBuf]) -> Result<OwnedFd, LaunchError> {
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
