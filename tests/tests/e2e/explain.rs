//! `cove explain`, `cove version`, `cove status` and the other words of `cove`: what they say is so.

use anyhow::{Context as _, Result, ensure};
use cove_tests::{image::BUSYBOX, world::World};
use serde_json::Value;

crate::tests![
    the_way_of_docker_version_is_told_with_its_numbers,
    a_container_sees_itself_alone_and_the_guest_sees_all,
    both_halves_say_their_versions,
    lists_are_json_on_demand,
    a_docker_context_is_made_and_used,
    doctor_finds_this_computer_fit,
];

fn the_way_of_docker_version_is_told_with_its_numbers(world: &World) -> Result<()> {
    let _use = world.shared();
    let way = world.cove(&["explain", "--format", "json"])?.ok()?.json()?;
    let number = |path: &str| way.pointer(path).and_then(Value::as_u64).with_context(|| format!("{path} in {way}"));
    for pid in ["/daemon/pid", "/hypervisor/helper_pid"] {
        let pid = number(pid)?;
        ensure!(std::path::Path::new(&format!("/proc/{pid}")).exists(), "no process {pid} on this computer");
    }
    ensure!(number("/vsock/port")? == 1024 && number("/vsock/cid")? > 2, "{way}");
    let kernel = world.says(&["run", "--rm", BUSYBOX, "uname", "-r"])?;
    ensure!(way.pointer("/guest/kernel").and_then(Value::as_str) == Some(kernel.as_str()), "{way}");
    let text = world.cove(&["explain"])?.ok()?.stdout;
    for station in ["docker", "coved", "vsock", "Linux", "cove-guest", kernel.as_str()] {
        ensure!(text.contains(station), "no {station} in\n{text}");
    }
    Ok(())
}

fn a_container_sees_itself_alone_and_the_guest_sees_all(world: &World) -> Result<()> {
    let _use = world.shared();
    let inside = world.says(&["run", "--rm", BUSYBOX, "ps", "-o", "pid,args"])?;
    ensure!(inside.lines().count() == 2 && inside.contains("1 ps"), "{inside}");

    world.says(&[
        "run",
        "-d",
        "--name",
        "walled",
        "-m",
        "64m",
        "--cpus",
        "0.5",
        "--pids-limit",
        "50",
        BUSYBOX,
        "sleep",
        "1000",
    ])?;
    let told = world.cove(&["explain", "--format", "json", "walled"])?.ok()?.json()?;
    let number = |path: &str| told.pointer(path).and_then(Value::as_u64).with_context(|| format!("{path} in {told}"));
    ensure!(number("/pid_in_container")? == 1 && number("/pid_in_guest")? > 1, "{told}");
    ensure!(told.pointer("/processes/0/pid_in_guest").is_some(), "{told}");
    for namespace in told["namespaces"].as_array().context("namespaces")? {
        let kind = namespace["kind"].as_str().unwrap_or_default();
        let shared = namespace["shared"].as_bool().context("shared")?;
        let walls = ["pid", "mnt", "uts", "ipc", "net", "cgroup"].contains(&kind);
        ensure!(shared != walls, "{kind}: shared is {shared}");
        // The number is the one that the container itself sees.
        let seen = world.says(&["exec", "walled", "readlink", &format!("/proc/1/ns/{kind}")])?;
        ensure!(seen == format!("{kind}:[{}]", namespace["container"]), "{seen} is not {namespace}");
    }
    for (file, value) in [("memory.max", "67108864"), ("cpu.max", "50000 100000"), ("pids.max", "50")] {
        let told = told.pointer(&format!("/limits/{file}")).and_then(Value::as_str).map(str::trim);
        ensure!(told == Some(value), "{file}: {told:?}");
    }
    let text = world.cove(&["explain", "walled"])?.ok()?.stdout;
    ensure!(text.contains("0.5 CPUs") && text.contains("own"), "{text}");
    world.docker(&["rm", "-f", "walled"])?.ok()?;
    Ok(())
}

fn both_halves_say_their_versions(world: &World) -> Result<()> {
    let _use = world.shared();
    let docker = world.docker(&["version", "--format", "{{json .}}"])?.ok()?.json()?;
    ensure!(docker.pointer("/Server/Os") == Some(&"linux".into()), "{docker}");
    ensure!(docker.pointer("/Server/KernelVersion").and_then(Value::as_str).is_some_and(|v| !v.is_empty()), "{docker}");
    ensure!(docker.pointer("/Server/ApiVersion") == Some(&"1.51".into()), "{docker}");
    let cove = world.cove(&["version", "--format", "json"])?.ok()?.json()?;
    ensure!(cove.pointer("/server/kernel") == docker.pointer("/Server/KernelVersion"), "{cove}");
    world.docker(&["info"])?.ok()?;
    Ok(())
}

fn lists_are_json_on_demand(world: &World) -> Result<()> {
    let _use = world.shared();
    let id = world.says(&["create", "--name", "listed", BUSYBOX, "true"])?;
    let containers = world.cove(&["ps", "-a", "--format", "json", "--filter", "name=listed"])?.ok()?.json()?;
    ensure!(containers.pointer("/0/id") == Some(&id.into()), "{containers}");
    let images = world.cove(&["images", "--format", "json"])?.ok()?.json()?;
    let tags: Vec<&Value> = images.as_array().context("a list")?.iter().map(|image| &image["tags"]).collect();
    ensure!(tags.iter().any(|tags| tags.as_array().is_some_and(|tags| tags.contains(&BUSYBOX.into()))), "{images}");
    let status = world.cove(&["status", "--format", "json"])?.ok()?.json()?;
    ensure!(status["state"] == "running", "{status}");
    world.docker(&["rm", "listed"])?.ok()?;
    Ok(())
}

fn a_docker_context_is_made_and_used(world: &World) -> Result<()> {
    let _use = world.shared();
    let folder = world.scratch()?;
    let alone = |mut command: std::process::Command| {
        command.env("DOCKER_CONFIG", folder.path()).env_remove("DOCKER_HOST");
        cove_tests::command::run(command, &[])
    };
    alone(world.cove_command(&["start", "--docker-context=yes"]))?.ok()?;
    let shown = alone(world.docker_command(&["context", "show"]))?.ok()?;
    ensure!(shown.stdout == "cove", "{shown}");
    // Nothing in the environment says where the engine is; the context does.
    alone(world.docker_command(&["run", "--rm", BUSYBOX, "true"]))?.ok()?;
    // A second time there is nothing to do.
    alone(world.cove_command(&["start", "--docker-context=yes"]))?.ok()?;
    Ok(())
}

fn doctor_finds_this_computer_fit(world: &World) -> Result<()> {
    let _use = world.shared();
    let checks = world.cove(&["doctor", "--format", "json"])?.ok()?.json()?;
    ensure!(checks.as_array().is_some_and(|checks| !checks.is_empty()), "{checks}");
    Ok(())
}
