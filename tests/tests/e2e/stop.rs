//! `docker stop` and `docker kill`: asking, then making.

use anyhow::{Result, ensure};
use cove_tests::{image::BUSYBOX, world::World};

crate::tests![
    stop_asks_and_the_program_may_answer,
    stop_kills_what_does_not_listen,
    kill_sends_the_signal_that_was_asked_for,
    stop_and_start_again_is_the_same_container,
    what_does_not_run_cannot_be_killed,
];

fn stop_asks_and_the_program_may_answer(world: &World) -> Result<()> {
    let _use = world.shared();
    let script = "trap 'echo asked; exit 7' TERM; echo ready; while :; do sleep 1; done";
    world.says(&["run", "-d", "--name", "polite", BUSYBOX, "sh", "-c", script])?;
    world.log_line("polite", "ready")?;
    world.docker(&["stop", "-t", "60", "polite"])?.ok()?;
    ensure!(state(world, "polite")? == "exited 7", "{}", state(world, "polite")?);
    ensure!(world.says(&["logs", "polite"])?.ends_with("asked"), "the signal did not arrive");
    world.docker(&["rm", "polite"])?.ok()?;
    Ok(())
}

fn stop_kills_what_does_not_listen(world: &World) -> Result<()> {
    let _use = world.shared();
    let script = "trap '' TERM; echo ready; while :; do sleep 1; done";
    world.says(&["run", "-d", "--name", "deaf", BUSYBOX, "sh", "-c", script])?;
    world.log_line("deaf", "ready")?;
    world.docker(&["stop", "-t", "1", "deaf"])?.ok()?;
    ensure!(state(world, "deaf")? == "exited 137", "{}", state(world, "deaf")?);
    world.docker(&["rm", "deaf"])?.ok()?;
    Ok(())
}

fn kill_sends_the_signal_that_was_asked_for(world: &World) -> Result<()> {
    let _use = world.shared();
    let script = "trap 'echo usr1' USR1; trap 'exit 9' USR2; echo ready; while :; do sleep 1; done";
    world.says(&["run", "-d", "--name", "listener", BUSYBOX, "sh", "-c", script])?;
    world.log_line("listener", "ready")?;
    world.docker(&["kill", "-s", "USR1", "listener"])?.ok()?;
    world.log_line("listener", "usr1")?;
    world.docker(&["kill", "--signal", "SIGUSR2", "listener"])?.ok()?;
    ensure!(world.says(&["wait", "listener"])? == "9", "the second signal did not arrive");
    world.docker(&["rm", "listener"])?.ok()?;
    Ok(())
}

fn stop_and_start_again_is_the_same_container(world: &World) -> Result<()> {
    let _use = world.shared();
    let script = "if [ -e /mark ]; then echo again; else touch /mark; echo first; fi; sleep 1000";
    world.says(&["run", "-d", "--name", "returning", BUSYBOX, "sh", "-c", script])?;
    world.log_line("returning", "first")?;
    world.docker(&["stop", "-t", "0", "returning"])?.ok()?;
    world.docker(&["start", "returning"])?.ok()?;
    world.log_line("returning", "again")?;
    world.docker(&["rm", "-f", "returning"])?.ok()?;
    Ok(())
}

fn what_does_not_run_cannot_be_killed(world: &World) -> Result<()> {
    let _use = world.shared();
    world.docker(&["create", "--name", "still", BUSYBOX, "true"])?.ok()?;
    world.docker(&["kill", "still"])?.exits(1)?.complains("is not running")?;
    world.docker(&["rm", "still"])?.ok()?;
    Ok(())
}

fn state(world: &World, container: &str) -> Result<String> {
    world.says(&["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", container])
}
