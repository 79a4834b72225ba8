//! A machine of its own, as small as there is one: without room, without inodes and without memory it refuses in words,
//! and goes on once there is some again.

use std::{fs, os::unix::fs::PermissionsExt as _};

use anyhow::{Result, ensure};
use cove_tests::{
    command::Watched,
    image::{self, BUSYBOX},
    registry::Wire,
    world::World,
};

use crate::{giving_back, lifecycle::fact, pull};

crate::tests![a_small_machine_refuses_what_it_has_no_room_for_and_recovers];

const NO_SPACE: &str = "no space left on device";

fn a_small_machine_refuses_what_it_has_no_room_for_and_recovers(world: &World) -> Result<()> {
    let _use = world.alone();
    let small = small_machine()?;
    let agent = fact(&small, "/guest/agent_pid")?;
    let talk = "echo first; while read word; do echo $word; done < /fifo";
    let talker = format!("mkfifo /fifo; exec 3<>/fifo; {talk}");
    small.says(&["run", "-d", "--name", "talker", BUSYBOX, "sh", "-c", &talker])?;
    small.log_line("talker", "first")?;
    without_room(&small)?;
    without_room_for_what_comes(&small)?;
    without_inodes(&small)?;
    without_memory(&small)?;
    ensure!(fact(&small, "/guest/agent_pid")? == agent, "the agent died of it");
    // What it could not keep is lost, what comes now is kept.
    small.docker(&["exec", "talker", "sh", "-c", "echo last > /fifo"])?.ok()?;
    small.log_line("talker", "last")?;
    Ok(())
}

/// With the smallest disk there is, and little memory.
fn small_machine() -> Result<World> {
    let small = World::empty()?;
    fs::create_dir_all(small.home().join("machine"))?;
    for folder in [small.home().to_owned(), small.home().join("machine")] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    let settings = r#"{ "disk_bytes": 1073741824, "memory_bytes": 536870912 }"#;
    fs::write(small.home().join("machine/settings.json"), settings)?;
    small.cove(&["start", "--docker-context=no"])?.ok()?;
    let root = image::root_tar(&[])?;
    let config = serde_json::json!({ "Cmd": ["sh"], "Env": ["PATH=/bin"] });
    small.docker_with(&["load"], &image::docker_archive(BUSYBOX, &root, config)?)?.ok()?;
    image::with_program(&small, "fault")?;
    Ok(small)
}

/// A container, `filler`, takes the disk to its last block.
fn fill(small: &World) -> Result<()> {
    // First what can be had without writing, then the rest.
    let fill = "for m in 512 256 128 64 32 16 8; do fallocate -l ${m}M /fill.$m; done; cat /dev/zero > /rest";
    // Exit code 1 is the shell's word for the write that failed; what it says about it reaches who is attached, though the
    // log has no room on the disk either.
    small
        .docker(&["run", "--name", "filler", BUSYBOX, "sh", "-c", fill])?
        .exits(1)?
        .complains("No space left on device")
        .map(drop)
}

/// F-17.
fn without_room(small: &World) -> Result<()> {
    fill(small)?;
    let before = small.docker(&["images", "-aq", "--no-trunc"])?.ok()?.stdout;
    let large = image::root_tar(&[("large", vec![7; 32 << 20], 0o644)])?;
    let large = image::docker_archive("cove-test/large:1", &large, serde_json::json!({ "Cmd": ["sh"] }))?;
    let refused = small.docker_with(&["load"], &large)?;
    ensure!(refused.code() != 0 && refused.stderr.to_lowercase().contains(NO_SPACE), "{refused}");
    ensure!(small.docker(&["images", "-aq", "--no-trunc"])?.ok()?.stdout == before, "something was left behind");
    refused_or_whole(small)?;
    small.docker(&["exec", "talker", "sh", "-c", "echo lost > /fifo"])?.ok()?;
    small.docker(&["rm", "filler"])?.ok()?;
    small.docker_with(&["load"], &large)?.ok()?;
    small.docker(&["rmi", "cove-test/large:1"])?.ok()?;
    runs(small)
}

/// F-17: the disk becomes full while an image comes.
fn without_room_for_what_comes(small: &World) -> Result<()> {
    let before = pull::whole_store(small)?;
    let taken = giving_back::taken(small)?;
    let registry = pull::registry()?;
    let wire = Wire::that_jams(&registry.address, pull::image_bytes()? as u64 / 2)?;
    let name = format!("{}/large:1", wire.address);
    let pulling = Watched::start(small.docker_command(&["pull", &name]))?;
    wire.has_met_its_fate()?;
    fill(small)?;
    wire.mend();
    let (code, lines) = pulling.end()?;
    ensure!(code == 1 && lines.iter().any(|line| line.to_lowercase().contains(NO_SPACE)), "{lines:#?}");
    let after = pull::whole_store(small)?;
    ensure!(after == before, "{before} became {after}");
    small.docker(&["rm", "filler"])?.ok()?;
    let is_back = || Ok(giving_back::taken(small)? <= taken + (8 << 20));
    giving_back::until(is_back, || format!("{taken} bytes before and {:?} after", giving_back::taken(small)))?;
    small.docker(&["pull", &name])?.ok()?;
    pull::is_whole_and_goes(small, &name, &before)?;
    giving_back::until(is_back, || format!("{taken} bytes before and {:?} after", giving_back::taken(small)))
}

/// F-18.
fn without_inodes(small: &World) -> Result<()> {
    let said = small.says(&["run", "--name", "litter", "cove-test/fault:1", "/fault", "files", "/many"])?;
    ensure!(said.to_lowercase().contains(NO_SPACE), "{said}");
    refused_or_whole(small)?;
    small.docker(&["rm", "litter"])?.ok()?;
    runs(small)
}

/// F-10: the agent is never the one that is killed.
fn without_memory(small: &World) -> Result<()> {
    small.docker(&["run", "--name", "glutton", "cove-test/fault:1", "/fault", "memory"])?.exits(137)?;
    let state = small.says(&["inspect", "-f", "{{.State.OOMKilled}} {{.State.ExitCode}}", "glutton"])?;
    ensure!(state == "true 137", "{state}");
    small.docker(&["rm", "glutton"])?.ok()?;
    ensure!(small.says(&["inspect", "-f", "{{.State.Status}}", "talker"])? == "running", "a neighbour was killed");
    runs(small)
}

/// What is asked for without room works, or says what is missing and leaves nothing.
fn refused_or_whole(small: &World) -> Result<()> {
    let done = small.docker(&["run", "--rm", "--name", "squeezed", BUSYBOX, "echo", "ran"])?;
    ensure!(done.stdout == "ran" || done.stderr.to_lowercase().contains(NO_SPACE), "{done}");
    ensure!(small.says(&["ps", "-aq", "--filter", "name=squeezed"])?.is_empty(), "it was left behind\n{done}");
    ensure!(small.says(&["exec", "talker", "echo", "here"])? == "here", "exec needs room");
    Ok(())
}

fn runs(small: &World) -> Result<()> {
    ensure!(small.says(&["run", "--rm", BUSYBOX, "echo", "ran"])? == "ran", "it does not recover");
    Ok(())
}
