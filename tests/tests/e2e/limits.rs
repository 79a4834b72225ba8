//! What a container may use: memory, processes, CPU.

use anyhow::{Context as _, Result, ensure};
use cove_tests::{image::BUSYBOX, world::World};

crate::tests![
    a_container_that_takes_too_much_memory_is_killed_and_says_so,
    a_fork_bomb_stops_at_the_limit,
    the_cpu_limit_is_the_kernels,
    the_memory_limit_is_the_kernels,
];

fn a_container_that_takes_too_much_memory_is_killed_and_says_so(world: &World) -> Result<()> {
    let _use = world.shared();
    // `tail` keeps the last line, and this one never ends.
    world.docker(&["run", "--name", "greedy", "-m", "32m", BUSYBOX, "tail", "/dev/zero"])?.exits(137)?;
    let state = world.says(&["inspect", "-f", "{{.State.OOMKilled}} {{.State.ExitCode}}", "greedy"])?;
    ensure!(state == "true 137", "{state}");
    world.docker(&["rm", "greedy"])?.ok()?;
    // One that was killed otherwise says so too.
    world.docker(&["run", "--name", "modest", BUSYBOX, "sh", "-c", "kill -KILL $$"])?.exits(137)?;
    let state = world.says(&["inspect", "-f", "{{.State.OOMKilled}}", "modest"])?;
    ensure!(state == "false", "{state}");
    world.docker(&["rm", "modest"])?.ok()?;
    Ok(())
}

fn a_fork_bomb_stops_at_the_limit(world: &World) -> Result<()> {
    let _use = world.shared();
    let bomb = "echo armed; bomb() { bomb | bomb & }; while :; do bomb; done";
    world.says(&["run", "-d", "--name", "bomb", "--pids-limit", "40", BUSYBOX, "sh", "-c", bomb])?;
    world.log_line("bomb", "fork")?;
    // The neighbours do not notice.
    ensure!(world.says(&["run", "--rm", BUSYBOX, "echo", "unharmed"])? == "unharmed", "a neighbour suffers");
    let processes = world.says(&["top", "bomb"])?.lines().count() - 1;
    ensure!(processes <= 40, "{processes} processes");
    world.docker(&["rm", "-f", "bomb"])?.ok()?;
    Ok(())
}

fn the_cpu_limit_is_the_kernels(world: &World) -> Result<()> {
    let _use = world.shared();
    let said = world.says(&["run", "--rm", "--cpus", "0.5", BUSYBOX, "cat", "/sys/fs/cgroup/cpu.max"])?;
    ensure!(said == "50000 100000", "{said}");
    Ok(())
}

fn the_memory_limit_is_the_kernels(world: &World) -> Result<()> {
    let _use = world.shared();
    let files = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max";
    let said = world.says(&["run", "--rm", "-m", "64m", "--pids-limit", "77", BUSYBOX, "sh", "-c", files])?;
    let mut lines = said.lines();
    ensure!(lines.next().context("nothing")? == "67108864" && lines.next() == Some("77"), "{said}");
    Ok(())
}
