//! What happens to containers by themselves and while they run: restart policies, health checks, pause, update, prune.

use std::time::Instant;

use anyhow::{Result, bail, ensure};
use cove_tests::{command::DEADLINE, image::BUSYBOX, world::World};

crate::tests![
    a_failure_is_restarted_so_often,
    who_stops_wins_over_the_policy,
    what_restarts_in_a_moment_can_be_stopped_and_removed,
    a_boot_starts_what_is_to_run,
    restart_policies_that_make_no_sense_are_refused,
    a_paused_container_stands_still,
    a_paused_container_can_be_stopped_and_killed,
    health_is_found_out_and_told,
    failures_while_it_starts_do_not_count,
    a_check_that_hangs_is_killed_with_its_children,
    an_image_may_say_how_it_is_checked,
    an_update_is_in_force_at_once,
    every_limit_can_be_updated,
    an_update_that_makes_no_sense_changes_nothing,
    a_prune_takes_what_matches,
    cove_has_the_same_verbs,
];

/// Asks until an inspected container is so.
pub(super) fn comes(world: &World, container: &str, format: &str, wanted: &str) -> Result<()> {
    let until = Instant::now() + DEADLINE;
    loop {
        let now = world.says(&["inspect", "-f", format, container])?;
        if now == wanted {
            return Ok(());
        }
        if Instant::now() > until {
            bail!("{container} is {now}, not {wanted}");
        }
    }
}

fn state(world: &World, container: &str) -> Result<String> {
    world.says(&["inspect", "-f", "{{.State.Status}}", container])
}

fn a_failure_is_restarted_so_often(world: &World) -> Result<()> {
    let _use = world.shared();
    let script = "echo run; exit 3";
    world.says(&["run", "-d", "--name", "fails", "--restart", "on-failure:2", BUSYBOX, "sh", "-c", script])?;
    comes(world, "fails", "{{.State.Status}} {{.RestartCount}}", "exited 2")?;
    let shown = world.says(&["inspect", "-f", "{{.State.ExitCode}} {{json .HostConfig.RestartPolicy}}", "fails"])?;
    ensure!(shown == r#"3 {"Name":"on-failure","MaximumRetryCount":2}"#, "{shown}");
    ensure!(world.says(&["logs", "fails"])? == "run\nrun\nrun", "not three runs");
    world.docker(&["rm", "fails"])?.ok()?;
    world.says(&["run", "-d", "--name", "succeeds", "--restart", "on-failure", BUSYBOX, "true"])?;
    comes(world, "succeeds", "{{.State.Status}} {{.RestartCount}}", "exited 0")?;
    world.docker(&["rm", "succeeds"])?.ok()?;
    Ok(())
}

fn who_stops_wins_over_the_policy(world: &World) -> Result<()> {
    let _use = world.shared();
    for (name, end) in [("stopped", &["stop", "-t", "0"][..]), ("killed", &["kill"])] {
        world.says(&["run", "-d", "--name", name, "--restart", "always", BUSYBOX, "sleep", "1000"])?;
        world.docker(&[end, &[name]].concat())?.ok()?;
        ensure!(state(world, name)? == "exited", "{name} is {}", state(world, name)?);
        world.docker(&["rm", name])?.ok()?;
    }
    Ok(())
}

fn what_restarts_in_a_moment_can_be_stopped_and_removed(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["run", "-d", "--name", "again", "--restart", "always", BUSYBOX, "false"])?;
    // By then the delay is long enough to act in it.
    let until = Instant::now() + DEADLINE;
    let count =
        |world: &World| -> Result<u32> { Ok(world.says(&["inspect", "-f", "{{.RestartCount}}", "again"])?.parse()?) };
    while count(world)? < 7 {
        ensure!(Instant::now() < until, "it is not restarted any more");
    }
    comes(world, "again", "{{.State.Status}} {{.State.Running}} {{.State.Restarting}}", "restarting true true")?;
    let row = world.says(&["ps", "--filter", "status=restarting", "--format", "{{.Names}} {{.Status}}"])?;
    ensure!(row.contains("again Restarting (1) "), "{row}");
    world.docker(&["rm", "again"])?.exits(1)?.complains("container is restarting: stop the container before")?;
    world.docker(&["pause", "again"])?.exits(1)?.complains("is restarting, wait until the container is running")?;
    world.docker(&["stop", "again"])?.ok()?;
    ensure!(state(world, "again")? == "exited", "{}", state(world, "again")?);
    world.docker(&["rm", "again"])?.ok()?;
    Ok(())
}

fn a_boot_starts_what_is_to_run(world: &World) -> Result<()> {
    let _use = world.alone();
    for (name, policy) in
        [("b-always", "always"), ("b-unless", "unless-stopped"), ("b-stopped", "unless-stopped"), ("b-no", "no")]
    {
        world.says(&["run", "-d", "--name", name, "--restart", policy, BUSYBOX, "sleep", "1000"])?;
    }
    world.docker(&["stop", "-t", "0", "b-always", "b-stopped"])?.ok()?;
    world.cove(&["stop", "--time", "2"])?.ok()?;
    world.cove(&["start", "--docker-context=no"])?.ok()?;
    for name in ["b-always", "b-unless"] {
        comes(world, name, "{{.State.Status}}", "running")?;
    }
    for name in ["b-stopped", "b-no"] {
        ensure!(state(world, name)? == "exited", "{name} is {}", state(world, name)?);
    }
    world.docker(&["rm", "-f", "b-always", "b-unless", "b-stopped", "b-no"])?.ok()?;
    Ok(())
}

fn restart_policies_that_make_no_sense_are_refused(world: &World) -> Result<()> {
    let _use = world.shared();
    world
        .docker(&["create", "--name", "odd", "--restart", "sometimes", BUSYBOX])?
        .exits(1)?
        .complains("invalid restart policy: unknown policy 'sometimes'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'")?;
    world.says(&["run", "-d", "--rm", "--name", "odd", BUSYBOX, "sleep", "1000"])?;
    world
        .docker(&["update", "--restart", "always", "odd"])?
        .exits(1)?
        .complains("Restart policy cannot be updated because AutoRemove is enabled for the container")?;
    world.docker(&["rm", "-f", "odd"])?.ok()?;
    Ok(())
}

fn a_paused_container_stands_still(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&[
        "run",
        "-d",
        "--name",
        "frozen",
        BUSYBOX,
        "sh",
        "-c",
        "n=0; while :; do n=$((n+1)); echo $n; done",
    ])?;
    world.log_line("frozen", "10")?;
    world.docker(&["pause", "frozen"])?.ok()?;
    ensure!(state(world, "frozen")? == "paused", "{}", state(world, "frozen")?);
    ensure!(world.says(&["ps", "--filter", "name=frozen", "--format", "{{.Status}}"])?.ends_with("(Paused)"), "ps");
    // What it wrote before may still be on its way to the log; then nothing comes any more.
    let last = || world.says(&["logs", "--tail", "1", "frozen"]);
    let until = Instant::now() + DEADLINE;
    while last()? != last()? {
        ensure!(Instant::now() < until, "it goes on");
    }
    for (arguments, words) in [
        (&["pause", "frozen"][..], "is already paused"),
        (&["exec", "frozen", "true"], "is paused, unpause the container before exec"),
        (&["start", "frozen"], "cannot start a paused container, try unpause instead"),
        (&["rm", "frozen"], "container is paused and must be unpaused first"),
    ] {
        world.docker(arguments)?.exits(1)?.complains(words)?;
    }
    world.docker(&["unpause", "frozen"])?.ok()?;
    ensure!(world.says(&["exec", "frozen", "echo", "on"])? == "on", "it does not go on");
    world.docker(&["unpause", "frozen"])?.exits(1)?.complains("is not paused")?;
    world.docker(&["rm", "-f", "frozen"])?.ok()?;
    world.docker(&["pause", "frozen"])?.exits(1)?.complains("No such container: frozen")?;
    Ok(())
}

fn a_paused_container_can_be_stopped_and_killed(world: &World) -> Result<()> {
    let _use = world.shared();
    let script = "trap 'exit 7' TERM; echo ready; while :; do sleep 1; done";
    world.says(&["run", "-d", "--name", "ice", BUSYBOX, "sh", "-c", script])?;
    for (end, code) in [(&["stop", "-t", "60", "ice"][..], "7"), (&["kill", "ice"], "137")] {
        world.log_line("ice", "ready")?;
        world.docker(&["pause", "ice"])?.ok()?;
        world.docker(end)?.ok()?;
        comes(world, "ice", "{{.State.Status}} {{.State.ExitCode}}", &format!("exited {code}"))?;
        world.docker(&["start", "ice"])?.ok()?;
    }
    world.docker(&["pause", "ice"])?.ok()?;
    world.docker(&["rm", "-f", "ice"])?.ok()?;
    Ok(())
}

fn health_is_found_out_and_told(world: &World) -> Result<()> {
    let _use = world.shared();
    let since = world.says(&["info", "--format", "{{.SystemTime}}"])?;
    let check = ["--health-cmd", "echo looked; test -e /well", "--health-interval", "1s", "--health-retries", "2"];
    world.says(&[&["run", "-d", "--name", "patient"], &check[..], &[BUSYBOX, "sleep", "1000"]].concat())?;
    let health = "{{.State.Health.Status}}";
    comes(world, "patient", health, "unhealthy")?;
    world.docker(&["exec", "patient", "touch", "/well"])?.ok()?;
    comes(world, "patient", health, "healthy")?;
    let row = world.says(&["ps", "--filter", "health=healthy", "--format", "{{.Names}} {{.Status}}"])?;
    ensure!(row.contains("patient Up") && row.contains("(healthy)"), "{row}");
    let log = world.says(&["inspect", "-f", "{{(index .State.Health.Log 0).Output}}", "patient"])?;
    ensure!(log == "looked", "{log}");
    world.docker(&["stop", "-t", "0", "patient"])?.ok()?;
    let until = world.says(&["info", "--format", "{{.SystemTime}}"])?;
    let asked = ["events", "--since", &since, "--until", &until, "--filter", "container=patient"];
    let told = world.says(&[&asked[..], &["--filter", "event=health_status", "--format", "{{.Action}}"]].concat())?;
    ensure!(told == "health_status: unhealthy\nhealth_status: healthy", "{told}");
    world.docker(&["rm", "patient"])?.ok()?;
    Ok(())
}

fn failures_while_it_starts_do_not_count(world: &World) -> Result<()> {
    let _use = world.shared();
    // Looked at often as long as it starts; otherwise so rarely that this test would not see it.
    let times = ["--health-start-period", "600s", "--health-start-interval", "1s", "--health-interval", "600s"];
    let check = ["--health-cmd", "test -e /well", "--health-retries", "1"];
    world.says(&[&["run", "-d", "--name", "slow"], &check[..], &times, &[BUSYBOX, "sleep", "1000"]].concat())?;
    comes(world, "slow", "{{ge (len .State.Health.Log) 2}}", "true")?;
    let health = world.says(&["inspect", "-f", "{{.State.Health.Status}} {{.State.Health.FailingStreak}}", "slow"])?;
    ensure!(health == "starting 0", "{health}");
    world.docker(&["exec", "slow", "touch", "/well"])?.ok()?;
    comes(world, "slow", "{{.State.Health.Status}}", "healthy")?;
    world.docker(&["rm", "-f", "slow"])?.ok()?;
    Ok(())
}

fn a_check_that_hangs_is_killed_with_its_children(world: &World) -> Result<()> {
    let _use = world.shared();
    let check = ["--health-cmd", "sleep 4321 & sleep 4321", "--health-interval", "1s", "--health-timeout", "1s"];
    let once = ["--health-retries", "1"];
    world.says(&[&["run", "-d", "--name", "hangs"], &check[..], &once, &[BUSYBOX, "sleep", "1000"]].concat())?;
    comes(world, "hangs", "{{.State.Health.Status}}", "unhealthy")?;
    let first = "{{with index .State.Health.Log 0}}{{.ExitCode}} {{.Output}}{{end}}";
    let first = world.says(&["inspect", "-f", first, "hangs"])?;
    ensure!(first == "-1 Health check exceeded timeout (1s)", "{first}");
    // The checks that hung left nothing: there is never more than one of them.
    let hanging = world.says(&["top", "hangs"])?.lines().filter(|line| line.contains("sleep 4321")).count();
    ensure!(hanging <= 3, "{hanging} processes of checks");
    world.docker(&["rm", "-f", "hangs"])?.ok()?;
    Ok(())
}

fn an_image_may_say_how_it_is_checked(world: &World) -> Result<()> {
    let _use = world.shared();
    let root = cove_tests::image::root_tar(&[])?;
    let check = serde_json::json!({ "Test": ["CMD", "true"], "Interval": 1_000_000_000_u64 });
    let config = serde_json::json!({ "Cmd": ["sleep", "1000"], "Env": ["PATH=/bin"], "Healthcheck": check });
    let archive = cove_tests::image::docker_archive("cove-test/checked:1", &root, config)?;
    world.docker_with(&["load"], &archive)?.ok()?;
    world.says(&["run", "-d", "--name", "by-image", "cove-test/checked:1"])?;
    comes(world, "by-image", "{{.State.Health.Status}}", "healthy")?;
    world.says(&["run", "-d", "--name", "unchecked", "--no-healthcheck", "cove-test/checked:1"])?;
    ensure!(world.says(&["inspect", "-f", "{{.State.Health}}", "unchecked"])? == "<nil>", "it is checked");
    world.docker(&["rm", "-f", "by-image", "unchecked"])?.ok()?;
    world.docker(&["rmi", "cove-test/checked:1"])?.ok()?;
    Ok(())
}

fn an_update_is_in_force_at_once(world: &World) -> Result<()> {
    let _use = world.shared();
    world.needs_cgroup_v2()?;
    world.says(&["run", "-d", "--name", "updated", "-m", "64m", BUSYBOX, "sleep", "1000"])?;
    let limits = ["--memory", "128m", "--memory-swap", "-1", "--cpus", "0.5", "--pids-limit", "77"];
    world.docker(&[&["update", "--restart", "unless-stopped"], &limits[..], &["updated"]].concat())?.ok()?;
    let files = "cd /sys/fs/cgroup; cat memory.max memory.swap.max cpu.max pids.max";
    let found = world.says(&["exec", "updated", "sh", "-c", files])?;
    ensure!(found == "134217728\nmax\n50000 100000\n77", "{found}");
    world.docker(&["update", "--pids-limit", "-1", "updated"])?.ok()?;
    ensure!(world.says(&["exec", "updated", "cat", "/sys/fs/cgroup/pids.max"])? == "max", "pids are limited");
    let shown = "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.RestartPolicy.Name}}";
    let shown = world.says(&["inspect", "-f", shown, "updated"])?;
    ensure!(shown == "134217728 500000000 unless-stopped", "{shown}");
    // It has them after a restart, too.
    world.docker(&["restart", "-t", "0", "updated"])?.ok()?;
    ensure!(
        world.says(&["exec", "updated", "sh", "-c", files])?.starts_with("134217728\nmax\n50000 100000\nmax"),
        "lost"
    );
    world.docker(&["rm", "-f", "updated"])?.ok()?;
    Ok(())
}

fn every_limit_can_be_updated(world: &World) -> Result<()> {
    let _use = world.shared();
    world.needs_cgroup_v2()?;
    world.says(&["run", "-d", "--name", "retuned", "-m", "64m", BUSYBOX, "sleep", "1000"])?;
    let options = "--blkio-weight 500 --cpu-period 50000 --cpu-quota 20000 --cpu-shares 2048 --cpuset-cpus 0 --cpuset-mems 0 \
                   --memory-reservation 32m";
    let update: Vec<&str> = ["update"].into_iter().chain(options.split_whitespace()).chain(["retuned"]).collect();
    world.docker(&update)?.ok()?;
    let files =
        "cd /sys/fs/cgroup; cat io.weight cpu.max cpuset.cpus cpuset.mems memory.low; test $(cat cpu.weight) -gt 100";
    let found = world.says(&["exec", "retuned", "sh", "-c", files])?;
    ensure!(found == "default 4950\n20000 50000\n0\n0\n33554432", "{found}");
    world.docker(&["rm", "-f", "retuned"])?.ok()?;
    Ok(())
}

fn an_update_that_makes_no_sense_changes_nothing(world: &World) -> Result<()> {
    let _use = world.shared();
    world.needs_cgroup_v2()?;
    world.says(&["run", "-d", "--name", "kept", "-m", "64m", "--cpus", "1", BUSYBOX, "sleep", "1000"])?;
    for (options, words) in [
        (
            &["-m", "1g"][..],
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
        ),
        (&["-m", "1k"], "Minimum memory limit allowed is 6MB"),
        (
            &["--cpu-quota", "50000"],
            "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set",
        ),
        (&["--cpuset-cpus", "99"], "Requested CPUs are not available - requested 99"),
    ] {
        world.docker(&[&["update"], options, &["kept"]].concat())?.exits(1)?.complains(words)?;
    }
    ensure!(world.says(&["exec", "kept", "cat", "/sys/fs/cgroup/memory.max"])? == "67108864", "it was changed");
    world.docker(&["rm", "-f", "kept"])?.ok()?;
    Ok(())
}

fn a_prune_takes_what_matches(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["create", "--name", "litter", "--label", "litter=1", BUSYBOX])?;
    world.says(&["run", "-d", "--name", "busy", "--label", "litter=1", BUSYBOX, "sleep", "1000"])?;
    let filtered = ["container", "prune", "-f", "--filter", "label=litter=1"];
    let none = world.says(&[&filtered[..], &["--filter", "until=1h"]].concat())?;
    ensure!(none == "Total reclaimed space: 0B", "{none}");
    let report = world.says(&filtered)?;
    ensure!(report.starts_with("Deleted Containers:\n"), "{report}");
    world.docker(&["inspect", "litter"])?.exits(1)?;
    ensure!(state(world, "busy")? == "running", "it ran");
    world
        .docker(&["container", "prune", "-f", "--filter", "until=x"])?
        .exits(1)?
        .complains("failed to parse value as time or duration: \"x\"")?;
    world.docker(&["rm", "-f", "busy"])?.ok()?;
    Ok(())
}

fn cove_has_the_same_verbs(world: &World) -> Result<()> {
    let _use = world.shared();
    let options = ["--restart", "on-failure:3", "--health-cmd", "true", "--health-interval", "1s"];
    world.cove(&[&["run", "-d", "--name", "verbs"], &options[..], &[BUSYBOX, "sleep", "1000"]].concat())?.ok()?;
    comes(world, "verbs", "{{.State.Health.Status}}", "healthy")?;
    let row = world.cove(&["ps", "--filter", "name=verbs"])?.ok()?;
    ensure!(row.stdout.contains("(healthy)"), "{row}");
    world.cove(&["pause", "verbs"])?.ok()?;
    ensure!(state(world, "verbs")? == "paused", "{}", state(world, "verbs")?);
    world.cove(&["pause", "verbs"])?.exits(1)?.complains("is already paused")?;
    world.cove(&["unpause", "verbs"])?.ok()?;
    world.cove(&["update", "--pids-limit", "50", "--restart", "no", "verbs"])?.ok()?;
    let shown =
        world.says(&["inspect", "-f", "{{.HostConfig.PidsLimit}} {{.HostConfig.RestartPolicy.Name}}", "verbs"])?;
    ensure!(shown == "50 no", "{shown}");
    world.docker(&["rm", "-f", "verbs"])?.ok()?;
    let id = world.says(&["create", "--name", "swept", "--label", "swept=1", BUSYBOX])?;
    let pruned = world.cove(&["prune", "--force", "--filter", "label=swept"])?.ok()?;
    ensure!(pruned.stdout.starts_with(&id), "{pruned}");
    Ok(())
}
