//! `docker stats` and `cove stats`: what a container uses.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
};

use anyhow::{Context as _, Result, ensure};
use cove_tests::{command::DEADLINE, image::BUSYBOX, world::World};
use serde_json::Value;

crate::tests![
    a_container_that_works_is_seen_to_work_within_its_limits,
    a_container_that_does_not_run_uses_nothing,
    a_stream_goes_on_each_second_and_ends_with_the_container,
    cove_stats_says_the_same,
];

fn a_container_that_works_is_seen_to_work_within_its_limits(world: &World) -> Result<()> {
    let _use = world.shared();
    let busy = "while :; do :; done";
    let run = ["run", "-d", "--name", "busy", "-m", "64m", "--pids-limit", "50", BUSYBOX, "sh", "-c", busy];
    world.says(&run)?;
    let seen: Value = serde_json::from_str(&world.says(&["stats", "--no-stream", "--format", "json", "busy"])?)?;
    let cpu: f64 = seen["CPUPerc"].as_str().context("no CPUPerc")?.trim_end_matches('%').parse()?;
    ensure!(cpu > 1.0, "it is busy: {seen}");
    ensure!(seen["MemUsage"].as_str().is_some_and(|usage| usage.ends_with(" / 64MiB")), "{seen}");
    ensure!(seen["PIDs"] == "1" && seen["Name"] == "busy", "{seen}");
    // All that run, and in full.
    let all = world.says(&["stats", "--no-stream", "--no-trunc", "--format", "{{.ID}}"])?;
    let id = world.says(&["inspect", "-f", "{{.Id}}", "busy"])?;
    ensure!(all.lines().any(|line| line == id), "{id} is not among {all}");
    world.docker(&["rm", "-f", "busy"])?.ok()?;
    Ok(())
}

fn a_container_that_does_not_run_uses_nothing(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["create", "--name", "idle", BUSYBOX, "true"])?;
    let format = "{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.PIDs}}";
    let seen = world.says(&["stats", "--no-stream", "-a", "--format", format])?;
    ensure!(seen.lines().any(|line| line == "idle 0.00% 0B / 0B 0"), "{seen}");
    world.docker(&["stats", "--no-stream", "nosuch"])?.exits(1)?.complains("No such container: nosuch")?;
    world.docker(&["rm", "idle"])?.ok()?;
    Ok(())
}

fn a_stream_goes_on_each_second_and_ends_with_the_container(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["run", "-d", "--name", "watched", BUSYBOX, "sleep", "1000"])?;
    let mut stream = UnixStream::connect(world.socket("docker"))?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.write_all(b"GET /v1.51/containers/watched/stats HTTP/1.0\r\nHost: d\r\n\r\n")?;
    let mut lines = BufReader::new(stream).lines();
    let mut look = || -> Result<Value> {
        let line = lines.by_ref().find(|line| !line.as_ref().is_ok_and(|line| !line.starts_with('{')));
        Ok(serde_json::from_str(&line.context("it has ended")??)?)
    };
    let (first, second) = (look()?, look()?);
    ensure!(first["precpu_stats"]["system_cpu_usage"].is_null(), "{first}");
    ensure!(second["precpu_stats"] == first["cpu_stats"] && second["preread"] == first["read"], "{second}");
    ensure!(second["memory_stats"]["stats"]["inactive_file"].is_number(), "{second}");
    ensure!(second["pids_stats"]["current"] == 1 && second["name"] == "/watched", "{second}");
    world.docker(&["rm", "-f", "watched"])?.ok()?;
    let mut rest = 0;
    while look().is_ok() {
        rest += 1;
        ensure!(rest < 100, "it goes on without a container");
    }
    Ok(())
}

fn cove_stats_says_the_same(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["run", "-d", "--name", "measured", "-m", "64m", BUSYBOX, "sleep", "1000"])?;
    let seen = world.cove(&["stats", "--no-stream", "--format", "json", "measured"])?.ok()?.json()?;
    ensure!(seen[0]["name"] == "measured" && seen[0]["memory_limit_bytes"] == 64 << 20, "{seen}");
    let table = world.cove(&["stats", "--no-stream", "measured"])?.ok()?.stdout;
    ensure!(table.starts_with("ID") && table.contains("measured"), "{table}");
    world.docker(&["rm", "-f", "measured"])?.ok()?;
    Ok(())
}
