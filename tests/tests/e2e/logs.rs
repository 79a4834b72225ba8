//! `docker logs`: what was written, and what is being written.

use anyhow::{Result, ensure};
use cove_tests::{command::Watched, image::BUSYBOX, world::World};

crate::tests![
    followed_logs_come_line_by_line_and_end_with_the_container,
    logs_of_a_container_that_has_ended_are_whole,
    the_last_lines_and_times_can_be_asked_for,
];

fn followed_logs_come_line_by_line_and_end_with_the_container(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&[
        "run",
        "-d",
        "-i",
        "--name",
        "talker",
        BUSYBOX,
        "sh",
        "-c",
        "echo first; read x; echo second; exit 4",
    ])?;
    let mut logs = Watched::start(world.docker_command(&["logs", "-f", "talker"]))?;
    logs.line("first")?;
    // A line of input makes it go on: what follows was certainly written after the logs were first read.
    world.docker_with(&["attach", "talker"], b"\n")?.exits(4)?;
    logs.line("second")?;
    let (code, _) = logs.end()?;
    ensure!(code == 0, "logs -f ended with {code}");
    world.docker(&["rm", "talker"])?.ok()?;
    Ok(())
}

fn logs_of_a_container_that_has_ended_are_whole(world: &World) -> Result<()> {
    let _use = world.shared();
    world.docker(&["run", "--name", "ended", BUSYBOX, "sh", "-c", "seq 1 2000; printf tail; echo oops >&2"])?.ok()?;
    let logs = world.docker(&["logs", "ended"])?.ok()?;
    let expected = (1..=2000).map(|n| format!("{n}\n")).collect::<String>() + "tail";
    ensure!(logs.stdout == expected, "{logs}");
    ensure!(logs.stderr == "oops", "{logs}");
    world.docker(&["rm", "ended"])?.ok()?;
    Ok(())
}

fn the_last_lines_and_times_can_be_asked_for(world: &World) -> Result<()> {
    let _use = world.shared();
    world.docker(&["run", "--name", "counted", BUSYBOX, "seq", "1", "20"])?.ok()?;
    ensure!(world.says(&["logs", "--tail", "2", "counted"])? == "19\n20", "the tail is not the tail");
    let stamped = world.says(&["logs", "-t", "--tail", "1", "counted"])?;
    let (time, line) = stamped.split_once(' ').unwrap_or_default();
    ensure!(line == "20" && time.len() == "2026-01-01T00:00:00.000000000Z".len() && time.ends_with('Z'), "{stamped}");
    world.docker(&["rm", "counted"])?.ok()?;
    Ok(())
}
