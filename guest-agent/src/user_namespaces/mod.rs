//! User namespaces: the root of a container that has one is nobody in the guest.
//!
//! All have the same map, so files need no owners of their own: on the disk they belong to whom the container takes for their
//! owner, and the container sees them through mounts that translate ([`files`]). A volume can be shared by containers with
//! and without one, and a container may have one in this run and none in the next.
//!
//! A namespace is made before its container, together with a network namespace that belongs to it ([`make`]).

mod files;
mod make;
mod owners;

use std::{
    fs::{self, File},
    io,
    ops::RangeInclusive,
    os::{fd::OwnedFd, unix::fs::MetadataExt},
};

pub use self::{
    files::{DISK, as_root_of_containers, below_disk},
    make::{HOLDER, Made, hold, make, make_network},
    owners::Owners,
};

/// Whom the guest knows a container's root as: dockerd's first choice.
pub const ROOT: u32 = 100_000;

/// How many ids a container has.
pub const IDS: u32 = 65_536;

/// All groups of a container, by its own ids.
pub const GROUPS: RangeInclusive<u32> = 0..=IDS - 1;

/// The same by the guest's ids.
pub const GROUPS_OUTSIDE: RangeInclusive<u32> = ROOT..=ROOT + IDS - 1;

/// The map, as the kernel takes it: id within, id without, how many.
fn map() -> String {
    format!("0 {ROOT} {IDS}\n")
}

/// The user namespace of a process; `None` if that is the caller's own.
///
/// # Errors
/// If the process has ended.
pub fn of_process(pid: u32) -> io::Result<Option<OwnedFd>> {
    let namespace = File::open(format!("/proc/{pid}/ns/user"))?;
    let own = fs::metadata("/proc/self/ns/user")?.ino() == namespace.metadata()?.ino();
    Ok((!own).then(|| namespace.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_is_the_kernels_line() {
        assert_eq!(map(), "0 100000 65536\n");
    }

    #[test]
    fn what_is_the_callers_own_is_none() {
        assert!(of_process(std::process::id()).unwrap().is_none());
        assert_eq!(of_process(u32::MAX).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
