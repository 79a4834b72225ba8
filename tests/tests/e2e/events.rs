//! `docker events` and `cove events`: what happens is told, in dockerd's words and order.

use anyhow::{Context as _, Result, ensure};
use cove_tests::{
    command::{DEADLINE, Watched},
    image::BUSYBOX,
    world::World,
};

crate::tests![a_run_is_told_as_it_happens, the_past_is_told_by_time_and_filter, images_are_told, cove_tells_the_same,];

fn a_run_is_told_as_it_happens(world: &World) -> Result<()> {
    let _use = world.shared();
    let format = "{{.Action}} {{.Actor.Attributes.name}}{{with .Actor.Attributes.exitCode}} {{.}}{{end}}";
    let filter = ["--filter", "label=told=live", "--filter", "type=container", "--format", format];
    let mut events = Watched::start(world.docker_command(&[&["events"], &filter[..]].concat()))?;
    // Nothing says when the client listens, so it is shown something until it tells of it.
    let until = std::time::Instant::now() + DEADLINE;
    while !events.has("destroy early") {
        ensure!(std::time::Instant::now() < until, "docker events never began to listen");
        world.docker(&["create", "--label", "told=live", "--name", "early", BUSYBOX])?.ok()?;
        world.docker(&["rm", "early"])?.ok()?;
    }
    world
        .docker(&["run", "--rm", "--label", "told=live", "--name", "live", BUSYBOX, "sh", "-c", "exit 3"])?
        .exits(3)?;
    for line in ["create live", "attach live", "start live", "die live 3", "destroy live"] {
        events.line(line)?;
    }
    Ok(())
}

fn the_past_is_told_by_time_and_filter(world: &World) -> Result<()> {
    let _use = world.shared();
    let since = world.says(&["info", "--format", "{{.SystemTime}}"])?;
    world.says(&["run", "-d", "--name", "past", "--label", "told=past", BUSYBOX, "sleep", "1000"])?;
    world.says(&["exec", "past", "true"])?;
    world.docker(&["stop", "-t", "0", "past"])?.ok()?;
    world.docker(&["rename", "past", "gone"])?.ok()?;
    world.docker(&["rm", "gone"])?.ok()?;
    let until = world.says(&["info", "--format", "{{.SystemTime}}"])?;
    let asked = ["events", "--since", &since, "--until", &until, "--format", "{{.Action}}", "--filter"];
    let told = world.says(&[&asked[..], &["label=told=past"]].concat())?;
    // dockerd tells of the stop and of the end as they come.
    let either = ["kill kill die stop", "kill kill stop die"]
        .map(|end| format!("create start exec_create:_true_ exec_start:_true_ exec_die {end} rename destroy"));
    let told: Vec<String> = told.lines().map(|line| line.replace(' ', "_")).collect();
    ensure!(either.contains(&told.join(" ")), "{told:?}");
    ensure!(world.says(&[&asked[..], &["event=die", "--filter", "label=told=past"]].concat())? == "die", "not one die");
    ensure!(world.says(&[&asked[..], &["container=nosuch"]].concat())?.is_empty(), "told of nothing");
    Ok(())
}

fn images_are_told(world: &World) -> Result<()> {
    let _use = world.shared();
    let since = world.says(&["info", "--format", "{{.SystemTime}}"])?;
    world.docker(&["tag", BUSYBOX, "told:1"])?.ok()?;
    world.docker(&["rmi", "told:1"])?.ok()?;
    let until = world.says(&["info", "--format", "{{.SystemTime}}"])?;
    let asked = ["events", "--since", &since, "--until", &until, "--filter", "type=image", "--filter", "event=tag"];
    let told = world.says(&[&asked[..], &["--format", "{{.Action}} {{.Actor.Attributes.name}}"]].concat())?;
    ensure!(told.lines().any(|line| line == "tag told:1"), "{told}");
    Ok(())
}

fn cove_tells_the_same(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["run", "--name", "twice", "--label", "told=twice", BUSYBOX, "true"])?;
    world.docker(&["rm", "twice"])?.ok()?;
    let asked = ["events", "--since", "1h", "--until", "0s", "--filter", "label=told=twice"];
    let told = world.cove(&asked)?.ok()?.stdout;
    ensure!(told.lines().count() == 5, "{told}");
    ensure!(told.lines().last().context("nothing")?.contains("container destroy "), "{told}");
    let json = world.cove(&[&asked[..], &["--format", "json"]].concat())?.ok()?.stdout;
    let first: serde_json::Value = serde_json::from_str(json.lines().next().context("nothing")?)?;
    ensure!(first["action"] == "create" && first["attributes"]["name"] == "twice", "{first}");
    Ok(())
}
