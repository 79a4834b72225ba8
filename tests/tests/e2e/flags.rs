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
    every_limit_reaches_the_kernel,
    rights_are_given_and_taken,
    an_entrypoint_of_ones_own_takes_the_arguments,
    the_containers_own_way_to_stop_is_taken,
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
    // A program in it starts and ends meanwhile: it would have had the time to go.
    world.docker(&["exec", "deaf-client", "sleep", "1"])?.ok()?;
    ensure!(world.says(&["inspect", "-f", "{{.State.Running}}", "deaf-client"])? == "true", "the signal came through");
    world.docker(&["rm", "-f", "deaf-client"])?.ok()?;
    Ok(())
}

fn every_limit_reaches_the_kernel(world: &World) -> Result<()> {
    let _use = world.shared();
    world.needs_cgroup_v2()?;
    let options = "--cpu-quota 20000 --cpu-period 50000 --cpu-shares 2048 --cpuset-cpus 0 -m 64m --memory-reservation 32m \
                   --memory-swap 96m --oom-score-adj 7 --shm-size 8m --ulimit nofile=100:200";
    let look = "cd /sys/fs/cgroup; cat cpu.max cpuset.cpus memory.low memory.swap.max /proc/self/oom_score_adj; \
                ulimit -Sn; ulimit -Hn; df -k /dev/shm | tail -n 1 | tr -s ' ' | cut -d ' ' -f 2";
    let run: Vec<&str> =
        ["run", "--rm"].into_iter().chain(options.split_whitespace()).chain([BUSYBOX, "sh", "-c", look]).collect();
    let said = world.says(&run)?;
    let expected = ["20000 50000", "0", "33554432", "33554432", "7", "100", "200", "8192"];
    ensure!(said.lines().eq(expected), "{said}");
    let weight = |shares| world.says(&["run", "--rm", "-c", shares, BUSYBOX, "cat", "/sys/fs/cgroup/cpu.weight"]);
    let (less, more): (u64, u64) = (weight("512")?.parse()?, weight("2048")?.parse()?);
    ensure!(less < 100 && more > 100, "{less} and {more}");
    Ok(())
}

fn rights_are_given_and_taken(world: &World) -> Result<()> {
    let _use = world.shared();
    let capabilities = "grep CapEff /proc/self/status | cut -f 2";
    let only = ["run", "--rm", "--cap-drop", "ALL", "--cap-add", "CHOWN", BUSYBOX, "sh", "-c", capabilities];
    ensure!(world.says(&only)? == "0000000000000001", "not CHOWN alone");
    let refused = world.docker(&["run", "--rm", "--read-only", BUSYBOX, "touch", "/file"])?.exits(1)?;
    refused.complains("Read-only file system")?;
    world.says(&["run", "-d", "--name", "rights", BUSYBOX, "sleep", "1000"])?;
    let usual = world.says(&["exec", "rights", "sh", "-c", capabilities])?;
    let all = world.says(&["exec", "--privileged", "rights", "sh", "-c", capabilities])?;
    let number = |text: &str| u64::from_str_radix(text, 16);
    ensure!(number(&all)?.count_ones() > number(&usual)?.count_ones(), "{all} is not more than {usual}");
    let look = "pwd; id -u; id -g; echo $A";
    let place = world.says(&["exec", "-w", "/etc", "-u", "1000:100", "-e", "A=b", "rights", "sh", "-c", look])?;
    ensure!(place.lines().eq(["/etc", "1000", "100", "b"]), "{place}");
    world.docker(&["exec", "-d", "rights", "touch", "/tmp-file"])?.ok()?;
    let names =
        world.says(&["run", "--rm", "--domainname", "example", BUSYBOX, "cat", "/proc/sys/kernel/domainname"])?;
    ensure!(names == "example", "{names}");
    world.docker(&["rm", "-f", "rights"])?.ok()?;
    Ok(())
}

fn an_entrypoint_of_ones_own_takes_the_arguments(world: &World) -> Result<()> {
    let _use = world.shared();
    let said = world.says(&["run", "--rm", "--entrypoint", "echo", BUSYBOX, "a", "b"])?;
    ensure!(said == "a b", "{said}");
    Ok(())
}

fn the_containers_own_way_to_stop_is_taken(world: &World) -> Result<()> {
    let _use = world.shared();
    let script = "trap 'exit 9' USR1; trap '' TERM; echo ready; while :; do sleep 0.1; done";
    let run = ["run", "-d", "--name", "own-signal", "--stop-signal", "USR1", BUSYBOX, "sh", "-c", script];
    world.says(&run)?;
    world.log_line("own-signal", "ready")?;
    world.docker(&["stop", "-t", "60", "own-signal"])?.ok()?;
    ensure!(world.says(&["wait", "own-signal"])? == "9", "it got another signal");
    world.docker(&["start", "own-signal"])?.ok()?;
    world.docker(&["stop", "-s", "USR1", "-t", "60", "own-signal"])?.ok()?;
    ensure!(world.says(&["wait", "own-signal"])? == "9", "it got another signal");
    let run = ["run", "-d", "--name", "own-time", "--stop-timeout", "1", BUSYBOX, "sh", "-c", script];
    world.says(&run)?;
    world.log_line("own-time", "ready")?;
    let began = std::time::Instant::now();
    world.docker(&["stop", "own-time"])?.ok()?;
    ensure!(world.says(&["wait", "own-time"])? == "137", "it was not killed");
    ensure!(began.elapsed().as_secs() < 60, "its own time is one second");
    world.docker(&["rm", "own-signal", "own-time"])?.ok()?;
    Ok(())
}
