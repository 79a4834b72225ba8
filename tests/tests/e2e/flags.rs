//! Flags of docker's commands that have no place elsewhere: files that the client reads, what it attaches to, pulls.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use cove_tests::{command::Watched, image::BUSYBOX, world::World};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

crate::tests![
    files_of_the_client_are_read_and_written,
    only_the_streams_that_are_attached_are_shown,
    nothing_is_pulled_that_nobody_wants_pulled,
    another_platform_is_refused_as_long_as_there_is_no_image_for_it,
    start_attaches_to_what_it_starts,
    signals_reach_the_container_unless_told_otherwise,
];

fn files_of_the_client_are_read_and_written(world: &World) -> Result<()> {
    let _use = world.shared();
    let folder = world.scratch()?;
    let path = |name: &str| folder.path().join(name).to_str().map(str::to_owned).context("a path in UTF-8");
    let (env, labels, id) = (path("env")?, path("labels")?, path("id")?);
    fs::write(&env, "FROM_FILE=yes\n")?;
    fs::write(&labels, "from=file\n")?;
    let options = ["--env-file", &env, "--label-file", &labels, "--cidfile", &id];
    let run = [&["run", "-d", "--name", "filed"], &options[..], &[BUSYBOX, "sleep", "1000"]].concat();
    let printed = world.says(&run)?;
    ensure!(fs::read_to_string(&id)? == printed, "the file has another id");
    ensure!(world.says(&["inspect", "-f", "{{.Config.Labels.from}}", "filed"])? == "file", "no label");
    ensure!(world.says(&["exec", "filed", "sh", "-c", "echo $FROM_FILE"])? == "yes", "no variable");
    fs::write(&env, "FROM_FILE=exec\n")?;
    let said = world.says(&["exec", "--env-file", &env, "filed", "sh", "-c", "echo $FROM_FILE"])?;
    ensure!(said == "exec", "{said}");
    world.docker(&["rm", "-f", "filed"])?.ok()?;
    Ok(())
}

fn only_the_streams_that_are_attached_are_shown(world: &World) -> Result<()> {
    let _use = world.shared();
    let script = "echo out; echo err >&2";
    let out = world.docker(&["run", "--rm", "-a", "stdout", BUSYBOX, "sh", "-c", script])?.ok()?;
    ensure!((out.stdout.as_str(), out.stderr.as_str()) == ("out", ""), "{out}");
    let err = world.docker(&["run", "--rm", "-a", "stderr", BUSYBOX, "sh", "-c", script])?.ok()?;
    ensure!((err.stdout.as_str(), err.stderr.as_str()) == ("", "err"), "{err}");
    Ok(())
}

fn nothing_is_pulled_that_nobody_wants_pulled(world: &World) -> Result<()> {
    let _use = world.shared();
    for command in ["run", "create"] {
        let made = world.docker(&[command, "--name", "unpulled", "--pull", "missing", "-q", BUSYBOX, "true"])?;
        made.ok()?;
        world.docker(&["rm", "unpulled"])?.ok()?;
        let refused = world.docker(&[command, "--pull", "never", "nosuchimage", "true"])?;
        refused.complains("No such image: nosuchimage:latest")?;
    }
    Ok(())
}

fn another_platform_is_refused_as_long_as_there_is_no_image_for_it(world: &World) -> Result<()> {
    let _use = world.shared();
    let own = format!("linux/{}", world.says(&["version", "-f", "{{.Server.Arch}}"])?);
    world.docker(&["run", "--rm", "--platform", &own, BUSYBOX, "true"])?.ok()?;
    let other = world.docker(&["run", "--rm", "--pull", "never", "--platform", "linux/s390x", BUSYBOX, "true"])?;
    other.exits(125)?.complains("does not match the specified platform")?;
    Ok(())
}

fn start_attaches_to_what_it_starts(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["create", "-i", "--name", "later", BUSYBOX, "sh", "-c", "echo ready; cat; exit 6"])?;
    let done = world.docker_with(&["start", "-a", "-i", "later"], b"typed")?.exits(6)?;
    ensure!(done.stdout == "ready\ntyped", "{done}");
    world.docker(&["rm", "later"])?.ok()?;
    Ok(())
}

fn signals_reach_the_container_unless_told_otherwise(world: &World) -> Result<()> {
    let _use = world.shared();
    let script = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.1; done";
    let mut passing = Watched::start(world.docker_command(&["run", "--rm", BUSYBOX, "sh", "-c", script]))?;
    passing.line("ready")?;
    kill(Pid::from_raw(i32::try_from(passing.pid())?), Signal::SIGTERM)?;
    let (code, _) = passing.end()?;
    ensure!(code == 7, "exit code {code}");
    let run = ["run", "--name", "deaf-client", "--sig-proxy=false", BUSYBOX, "sh", "-c", script];
    let mut keeping = Watched::start(world.docker_command(&run))?;
    keeping.line("ready")?;
    kill(Pid::from_raw(i32::try_from(keeping.pid())?), Signal::SIGTERM)?;
    keeping.end()?;
    ensure!(world.says(&["inspect", "-f", "{{.State.Running}}", "deaf-client"])? == "true", "the signal came through");
    world.docker(&["rm", "-f", "deaf-client"])?.ok()?;
    Ok(())
}
