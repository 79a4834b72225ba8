//! The files of the engine that a container sees in its /etc.

use std::os::fd::{AsFd, OwnedFd};

use super::{
    RootfsError, Step, mounts,
    target::{self, Make},
};
use crate::init::protocol::MountSetup;

/// In the order in which their mounts are sent.
const PATHS: [&str; 3] = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];

/// Attaches them. Where the image has a link, they are where it leads; where the container's creator has mounted something,
/// that stays.
///
/// # Errors
/// When something of the image is in the way.
pub fn mount(root: impl AsFd, files: [OwnedFd; 3], mounted: &[MountSetup]) -> Result<(), RootfsError> {
    for (path, file) in PATHS.into_iter().zip(files) {
        if mounted.iter().any(|mount| mount.target == path) {
            continue;
        }
        let place = target::find_or_make(&root, path, Make::File).step(format!("make {path}"))?;
        mounts::attach(file, place).step(format!("mount {path}"))?;
    }
    Ok(())
}
