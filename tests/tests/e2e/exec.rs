//! `docker exec` and `cove exec`: another program in a container that runs.

use anyhow::{Result, ensure};
use cove_tests::{command, image::BUSYBOX, world::World};

crate::tests![
    exec_gives_the_programs_exit_code,
    exec_shares_the_containers_world,
    exec_takes_standard_input_to_its_end,
    a_missing_program_is_127_and_the_container_lives_on,
    cove_exec_does_the_same,
    exec_needs_a_container_that_runs,
];

fn exec_gives_the_programs_exit_code(world: &World) -> Result<()> {
    let _use = world.shared();
    within(world, "exec-code", |container| {
        for code in [0, 3, 130] {
            world.docker(&["exec", container, "sh", "-c", &format!("exit {code}")])?.exits(code)?;
        }
        Ok(())
    })
}

fn exec_shares_the_containers_world(world: &World) -> Result<()> {
    let _use = world.shared();
    within(world, "exec-world", |container| {
        world.docker(&["exec", container, "touch", "/made-by-exec"])?.ok()?;
        let said = world.says(&[
            "exec",
            "-e",
            "A=b",
            "-w",
            "/etc",
            "-u",
            "1000",
            container,
            "sh",
            "-c",
            "echo $A $(pwd) $(id -u); ls /made-by-exec; ps",
        ])?;
        ensure!(said.starts_with("b /etc 1000\n/made-by-exec\n"), "{said}");
        ensure!(said.contains("sleep 1000"), "it does not see the container's program:\n{said}");
        Ok(())
    })
}

fn exec_takes_standard_input_to_its_end(world: &World) -> Result<()> {
    let _use = world.shared();
    within(world, "exec-input", |container| {
        let sent = "line\n".repeat(50_000);
        let done = world.docker_with(&["exec", "-i", container, "wc", "-l"], sent.as_bytes())?.ok()?;
        ensure!(done.stdout.trim() == "50000", "{done}");
        Ok(())
    })
}

fn a_missing_program_is_127_and_the_container_lives_on(world: &World) -> Result<()> {
    let _use = world.shared();
    within(world, "exec-missing", |container| {
        world.docker(&["exec", container, "nosuchprogram"])?.exits(127)?;
        world.docker(&["exec", container, "true"])?.ok()?;
        Ok(())
    })
}

fn cove_exec_does_the_same(world: &World) -> Result<()> {
    let _use = world.shared();
    within(world, "exec-cove", |container| {
        world.cove(&["exec", container, "sh", "-c", "exit 3"])?.exits(3)?;
        world.cove(&["exec", container, "nosuchprogram"])?.exits(127)?;
        let back = command::run(world.cove_command(&["exec", "-i", container, "cat"]), b"there and back")?.ok()?;
        ensure!(back.stdout == "there and back", "{back}");
        Ok(())
    })
}

fn exec_needs_a_container_that_runs(world: &World) -> Result<()> {
    let _use = world.shared();
    world.docker(&["create", "--name", "exec-still", BUSYBOX, "true"])?.ok()?;
    world.docker(&["exec", "exec-still", "true"])?.exits(1)?.complains("is not running")?;
    world.docker(&["rm", "exec-still"])?.ok()?;
    Ok(())
}

/// With a container that runs meanwhile.
fn within(world: &World, name: &str, test: impl FnOnce(&str) -> Result<()>) -> Result<()> {
    world.says(&["run", "-d", "--name", name, BUSYBOX, "sleep", "1000"])?;
    let outcome = test(name);
    world.docker(&["rm", "-f", name])?.ok()?;
    outcome
}
