//! Clocks of a container that differ from the guest's: a time namespace.

use std::{fs, io};

use rustix::{
    fs::{Mode, OFlags, open},
    thread::ThreadNameSpaceType,
};

use super::Step;
use crate::{
    namespaces,
    processes::{error::LaunchFailure, launch::ClockOffsets},
    sys::clone::unshare_time_namespace,
};

/// Sets the clocks of the calling process, through the guest's /proc. How much they differ can be said only as long as
/// nobody lives by them, so the process makes the namespace, says it, and goes in.
pub(super) fn set(offsets: Option<ClockOffsets>) -> Result<(), LaunchFailure> {
    let Some(offsets) = offsets else { return Ok(()) };
    unshare_time_namespace().step("make a time namespace")?;
    let set = || -> io::Result<()> { fs::write("/proc/self/timens_offsets", lines(offsets)) };
    set().step(format!("set the monotonic clock by {} s and boottime by {} s", offsets.monotonic, offsets.boottime))?;
    let enter = || {
        let namespace = open("/proc/self/ns/time_for_children", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        namespaces::enter(namespace, ThreadNameSpaceType::TIME)
    };
    enter().step("enter the time namespace")
}

fn lines(offsets: ClockOffsets) -> String {
    format!("monotonic {} 0\nboottime {} 0\n", offsets.monotonic, offsets.boottime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_the_kernels_lines() {
        let offsets = ClockOffsets { monotonic: 3600, boottime: -7 };
        assert_eq!(lines(offsets), "monotonic 3600 0\nboottime -7 0\n");
    }
}
