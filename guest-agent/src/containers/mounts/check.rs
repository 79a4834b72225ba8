//! Whether mounts make sense, in dockerd's words.

use std::collections::BTreeSet;

use cove_proto::v1::{ContainerSpec, Mount, MountKind};

use crate::rootfs::{
    mounts::inert,
    tmpfs::{self, Tmpfs, TmpfsError},
};

/// Mounts travel to PID 1 as descriptors of one message, of which the kernel carries 253.
const MOST: usize = 200;

const PROPAGATIONS: [&str; 7] = ["", "private", "rprivate", "shared", "rshared", "slave", "rslave"];

/// Why mounts make no sense.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MountError {
    /// One of them cannot be.
    #[error("invalid mount config for type {kind:?}: {why}")]
    Config {
        /// "volume", "tmpfs", "image".
        kind: &'static str,
        /// Why not.
        why: Why,
    },
    /// Two at one path.
    #[error("Duplicate mount point: {0}")]
    Duplicate(String),
    /// More than can be.
    #[error("{0} mounts are too many for one container: {MOST} is the most")]
    TooMany(usize),
    /// Volumes of a container without saying which.
    #[error("volumes-from specification cannot be an empty string")]
    NoContainer,
    /// Volumes of a container that is not there.
    #[error("{0}")]
    OtherContainer(String),
    /// No such mode.
    #[error("invalid mode: {0}")]
    Mode(String),
    /// A volume without a name where the image has a file.
    #[error("cannot mount volume over existing file, file exists {0}")]
    OverFile(String),
}

/// Why a mount cannot be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// It lacks something.
    #[error("field {0} must not be empty")]
    Missing(&'static str),
    /// It has what it cannot have.
    #[error("field {0} must not be specified")]
    Extra(&'static str),
    /// It would hide everything.
    #[error("invalid specification: destination can't be '/'")]
    Root,
    /// A folder of the host without the host's consent.
    #[error("a folder of this computer is seen by a grant, which share_id names")]
    NotGranted,
    /// A relative path.
    #[error("invalid mount path: '{0}' mount path must be absolute")]
    Relative(String),
    /// A part of what is empty.
    #[error("must not set Subpath when using anonymous volumes")]
    AnonymousSubpath,
    /// A path that leads out.
    #[error("subpath must be a relative path within the volume")]
    Subpath,
    /// What nobody could ever write to.
    #[error("must not set ReadOnly mode when using anonymous volumes")]
    AnonymousReadOnly,
    /// Not one of the seven words.
    #[error("invalid propagation mode: {0}")]
    Propagation(String),
    /// An option of memory.
    #[error(transparent)]
    Tmpfs(#[from] TmpfsError),
    /// No such kind.
    #[error("mount type unknown")]
    Kind,
}

/// Checks what a container is to see.
///
/// # Errors
/// At the first thing that makes no sense.
pub(in crate::containers) fn check(spec: &ContainerSpec) -> Result<(), MountError> {
    let mut taken = BTreeSet::new();
    for mount in &spec.mounts {
        check_mount(mount).map_err(|why| MountError::Config { kind: word(mount.kind()), why })?;
        if !taken.insert(clean(&mount.target)) {
            return Err(MountError::Duplicate(mount.target.clone()));
        }
    }
    for path in &spec.anonymous_volumes {
        if clean(path) == "/" {
            return Err(MountError::Config { kind: "volume", why: Why::Root });
        }
        taken.insert(clean(path));
    }
    if taken.len() > MOST {
        return Err(MountError::TooMany(taken.len()));
    }
    spec.volumes_from.iter().try_for_each(|from| volumes_from(from).map(drop))
}

fn check_mount(mount: &Mount) -> Result<(), Why> {
    if mount.target.is_empty() {
        return Err(Why::Missing("Target"));
    }
    if !mount.target.starts_with('/') {
        return Err(Why::Relative(mount.target.clone()));
    }
    if clean(&mount.target) == "/" {
        return Err(Why::Root);
    }
    if !PROPAGATIONS.contains(&mount.propagation.as_str()) {
        return Err(Why::Propagation(mount.propagation.clone()));
    }
    let anonymous = mount.source.is_empty();
    match mount.kind() {
        MountKind::Volume if anonymous && !mount.subpath.is_empty() => Err(Why::AnonymousSubpath),
        MountKind::Volume if anonymous && mount.read_only => Err(Why::AnonymousReadOnly),
        MountKind::Image | MountKind::Bind if anonymous => Err(Why::Missing("Source")),
        // Only the daemon knows what is there, and says so by a grant.
        MountKind::Bind if mount.share_id.is_empty() => Err(Why::NotGranted),
        MountKind::Bind if !mount.subpath.is_empty() => Err(Why::Extra("Subpath")),
        MountKind::Bind => Ok(()),
        MountKind::Volume | MountKind::Image => check_subpath(&mount.subpath),
        MountKind::Tmpfs if !anonymous => Err(Why::Extra("Source")),
        MountKind::Tmpfs => Ok(memory(mount).map(drop)?),
        MountKind::Unspecified => Err(Why::Kind),
    }
}

/// Go's filepath.IsLocal: relative, and at no point above where it started.
fn check_subpath(path: &str) -> Result<(), Why> {
    let mut depth = 0_usize;
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        depth = match part {
            ".." => depth.checked_sub(1).ok_or(Why::Subpath)?,
            _ => depth + 1,
        };
    }
    if path.starts_with('/') { Err(Why::Subpath) } else { Ok(()) }
}

/// The memory that a mount asks for: for data only, unless its options say otherwise, as with dockerd.
pub(super) fn memory(mount: &Mount) -> Result<Tmpfs, TmpfsError> {
    let mut words = Vec::new();
    if mount.tmpfs_size_bytes > 0 {
        words.push(format!("size={}", mount.tmpfs_size_bytes));
    }
    if mount.tmpfs_mode > 0 {
        words.push(format!("mode={:o}", mount.tmpfs_mode));
    }
    words.extend(mount.tmpfs_options.iter().cloned());
    if mount.read_only {
        words.push("ro".to_owned());
    }
    tmpfs::parse(words.iter().map(String::as_str), inert())
}

/// Another container, and whether its volumes are to be read-only.
pub(super) fn volumes_from(from: &str) -> Result<(&str, bool), MountError> {
    let (container, mode) = from.split_once(':').unwrap_or((from, ""));
    if from.is_empty() {
        return Err(MountError::NoContainer);
    }
    let mut read_only = false;
    for word in mode.split(',').filter(|_| !mode.is_empty()) {
        match word {
            "ro" => read_only = true,
            // Labels of SELinux, which the guest has not; consistency, which it always has.
            "rw" | "z" | "Z" | "consistent" | "cached" | "delegated" => {}
            _ => return Err(MountError::Mode(mode.to_owned())),
        }
    }
    Ok((container, read_only))
}

fn word(kind: MountKind) -> &'static str {
    match kind {
        MountKind::Volume => "volume",
        MountKind::Tmpfs => "tmpfs",
        MountKind::Image => "image",
        MountKind::Bind => "bind",
        MountKind::Unspecified => "",
    }
}

/// Go's path.Clean of a path from the root: how it is written when it is written shortest. What it leads to is for the
/// kernel to say.
pub(super) fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}
