//! What a container used goes back to this computer: memory by free page reporting, disk by discard.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use cove_tests::{command::DEADLINE, image::BUSYBOX, world::World};

use crate::lifecycle::{child_named, fact};

crate::tests![memory_that_containers_freed_goes_back_to_the_host, space_of_removed_containers_goes_back_to_the_host];

const MIB: u64 = 1 << 20;

fn memory_that_containers_freed_goes_back_to_the_host(world: &World) -> Result<()> {
    let _use = world.alone();
    let qemu = child_named(fact(world, "/hypervisor/helper_pid")?, "qemu-system")?;
    let fill = "dd if=/dev/zero of=/dev/shm/file bs=1M count=300 2>/dev/null && echo full && sleep 1000";
    world.says(&["run", "-d", "--name", "memory", "--shm-size", "400m", BUSYBOX, "sh", "-c", fill])?;
    world.log_line("memory", "full")?;
    let full = guest_memory(qemu)?;
    ensure!(full > 300 * MIB, "the machine takes {full} bytes with 300 MiB in use");
    world.docker(&["rm", "-f", "memory"])?.ok()?;
    until(|| Ok(guest_memory(qemu)? + 200 * MIB < full), || format!("it still takes {:?}", guest_memory(qemu)))
}

fn space_of_removed_containers_goes_back_to_the_host(world: &World) -> Result<()> {
    let _use = world.alone();
    let taken = || taken(world);
    let fill = "dd if=/dev/urandom of=/file bs=1M count=100 2>/dev/null && sync && echo full";
    world.says(&["run", "--name", "space", BUSYBOX, "sh", "-c", fill])?;
    let full = taken()?;
    ensure!(full > 100 * MIB, "the disk takes {full} bytes with a file of 100 MiB on it");
    world.docker(&["rm", "space"])?.ok()?;
    until(|| Ok(taken()? + 90 * MIB < full), || format!("{full} bytes before and {:?} after", taken()))
}

/// Bytes of this computer's disk that the data disk takes.
pub(crate) fn taken(world: &World) -> Result<u64> {
    Ok(fs::metadata(world.home().join("machine/data.raw"))?.blocks() * 512)
}

/// What QEMU holds of the guest's memory, which is shared memory.
fn guest_memory(qemu: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{qemu}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssShmem:")).context("no RssShmem")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// Asks until it is so: the kernel gives back in its own time and tells nobody.
pub(crate) fn until(so: impl Fn() -> Result<bool>, what: impl Fn() -> String) -> Result<()> {
    let end = Instant::now() + DEADLINE;
    while !so()? {
        ensure!(Instant::now() < end, "{}", what());
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
