//! The folder that the program starts in.

use std::os::fd::AsFd;

use rustix::process::{chdir, getcwd};

use super::Step;
use crate::{
    processes::error::LaunchFailure,
    rootfs::target::{self, Make},
};

/// Makes the folder if it is missing, as Docker does for the first process of a container.
pub(super) fn make(root: impl AsFd, path: &str) -> Result<(), LaunchFailure> {
    target::find_or_make(root, path, Make::Folder).step(format!("mkdir {path}")).map(drop)
}

/// Enters it. A folder that is not below the root is refused: its name may have been a way out (CVE-2024-21626).
pub(super) fn enter(path: &str) -> Result<(), LaunchFailure> {
    let failed =
        |errno: rustix::io::Errno| LaunchFailure::WorkingDir { path: path.to_owned(), errno: errno.raw_os_error() };
    chdir(if path.is_empty() { "/" } else { path }).map_err(failed)?;
    match getcwd(Vec::new()).map_err(failed)?.as_bytes().first() {
        Some(b'/') => Ok(()),
        _ => Err(failed(rustix::io::Errno::XDEV)),
    }
}
