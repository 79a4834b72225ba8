//! `docker pull` of an image of eight layers: cut in the middle it goes on or begins again, and nothing is left of it; whole,
//! it takes little memory.
//!
//! COVE_TEST_IMAGE_MIB says how large the image is.

use std::env;

use anyhow::{Context as _, Result, ensure};
use cove_tests::{
    command::{Watched, kill},
    image::{self, BUSYBOX},
    registry::{Registry, Wire},
    world::World,
};

use crate::{
    leaks,
    lifecycle::{child_named, fact},
};

crate::tests![
    a_pull_goes_on_when_the_registry_was_killed,
    a_pull_begins_again_when_the_daemon_was_killed,
    a_pull_begins_again_when_the_machine_was_killed,
    eight_layers_at_once_take_little_memory,
    what_is_here_costs_one_question,
];

const LAYERS: usize = 8;
const MIB: usize = 1 << 20;

/// Bytes of the image.
pub(crate) fn image_bytes() -> Result<usize> {
    let mib = env::var("COVE_TEST_IMAGE_MIB");
    Ok(mib.map_or(Ok(24), |mib| mib.parse().context("COVE_TEST_IMAGE_MIB is no number"))? * MIB)
}

/// A registry that has it, as "large:1".
pub(crate) fn registry() -> Result<Registry> {
    let registry = Registry::open()?;
    let config = serde_json::json!({ "Cmd": ["sh", "-c", "cat /noise/* | sha256sum"], "Env": ["PATH=/bin"] });
    let noise = image_bytes()? / LAYERS;
    let mut layers = vec![image::root_tar(&[("noise/0", image::noise(0, noise), 0o644)])?];
    for at in 1..LAYERS {
        layers.push(image::layer_tar(&[(&format!("noise/{at}"), image::noise(at as u64, noise), 0o644)])?);
    }
    let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    registry.put(&image::docker_archive_of("x:1", &layers, config, "amd64")?, "large:1", "oci")?;
    Ok(registry)
}

/// What its command says.
fn content() -> Result<String> {
    let noise = image_bytes()? / LAYERS;
    let all: Vec<u8> = (0..LAYERS).flat_map(|at| image::noise(at as u64, noise)).collect();
    Ok(format!("{}  -", image::digest(&all)))
}

/// What the disk has of images; it is all needed.
pub(crate) fn whole_store(world: &World) -> Result<String> {
    let said = world.cove(&["doctor", "--store", "--content"])?.ok()?;
    ensure!(said.stdout.contains("all is there and all is needed"), "{said}");
    let used = world.says(&["system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Size}}"])?;
    Ok(used.lines().find(|line| line.starts_with("Images")).context("no images")?.to_owned())
}

/// The same without what other tests have left without a name.
fn pruned_store(world: &World) -> Result<String> {
    world.docker(&["image", "prune", "-f"])?.ok()?;
    whole_store(world)
}

/// It is there, goes, and then all is as before.
pub(crate) fn is_whole_and_goes(world: &World, name: &str, before: &str) -> Result<()> {
    let said = world.says(&["run", "--rm", name])?;
    ensure!(said == content()?, "its files are not what they were: {said}");
    let with = whole_store(world)?;
    ensure!(with != before, "the disk's use is not told: {with}");
    world.docker(&["rmi", name])?.ok()?;
    world.docker(&["image", "prune", "-f"])?.ok()?;
    let after = whole_store(world)?;
    ensure!(after == before, "{before} became {after}");
    Ok(())
}

fn a_pull_goes_on_when_the_registry_was_killed(world: &World) -> Result<()> {
    let _use = world.alone();
    let before = pruned_store(world)?;
    let mut registry = registry()?;
    let wire = Wire::that_breaks(&registry.address, image_bytes()? as u64 / 2)?;
    let name = format!("{}/large:1", wire.address);
    let pulling = Watched::start(world.docker_command(&["pull", &name]))?;
    wire.has_met_its_fate()?;
    registry.kill();
    registry.run()?;
    let (code, lines) = pulling.end()?;
    ensure!(code == 0, "{lines:#?}");
    is_whole_and_goes(world, &name, &before)
}

/// What is there of a pull in the middle, which is then cut off by `cut`; `back` brings back what that has ended.
fn cut_and_begun_again(world: &World, cut: u32, back: impl Fn() -> Result<()>) -> Result<()> {
    let before = pruned_store(world)?;
    let registry = registry()?;
    let wire = Wire::that_jams(&registry.address, image_bytes()? as u64 / 2)?;
    let name = format!("{}/large:1", wire.address);
    let pulling = Watched::start(world.docker_command(&["pull", &name]))?;
    wire.has_met_its_fate()?;
    kill(cut);
    let (code, lines) = pulling.end()?;
    ensure!(code != 0, "{lines:#?}");
    back()?;
    let after = whole_store(world)?;
    ensure!(after == before, "{before} became {after}");
    wire.mend();
    world.docker(&["pull", &name])?.ok()?;
    is_whole_and_goes(world, &name, &before)
}

fn a_pull_begins_again_when_the_daemon_was_killed(world: &World) -> Result<()> {
    let _use = world.alone();
    let daemon = fact(world, "/daemon/pid")?;
    cut_and_begun_again(world, daemon, || world.cove(&["start", "--docker-context=no"])?.ok().map(drop))
}

fn a_pull_begins_again_when_the_machine_was_killed(world: &World) -> Result<()> {
    let _use = world.alone();
    let qemu = child_named(fact(world, "/hypervisor/helper_pid")?, "qemu-system")?;
    // The first call boots it again.
    cut_and_begun_again(world, qemu, || world.docker(&["run", "--rm", BUSYBOX, "true"])?.ok().map(drop))
}

/// KiB that the agent may take, whatever comes.
const MOST_MEMORY: u64 = 64 * 1024;

/// Of layers that are larger than the windows of what has compressed them, which are of 8 MiB.
fn eight_layers_at_once_take_little_memory(world: &World) -> Result<()> {
    let _use = world.alone();
    let registry = Registry::open()?;
    let name = registry.name("packed:1");
    // So that all of a window is used, and little comes over the network.
    let noise: Vec<u8> = image::noise(9, 64 * 1024).into_iter().cycle().take(12 * MIB).collect();
    let of_each = |at| image::layer_tar(&[(&format!("noise/{at}"), [&[at], &noise[..]].concat(), 0o644)]);
    let layers: Vec<Vec<u8>> = (0..8_u8).map(of_each).collect::<Result<_>>()?;
    let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    let archive = image::docker_archive_of("x:1", &layers, serde_json::json!({ "Cmd": ["none"] }), "amd64")?;
    registry.put_packed(&archive, "packed:1", "zstd")?;

    leaks::start_counting(world)?;
    world.cove(&["settings", "--concurrent-downloads", "8"])?.ok()?;
    let agent = fact(world, "/guest/agent_pid")?;
    // 5 lets the peak begin anew.
    world.says(&["exec", "counts", "sh", "-c", &format!("echo 5 > /proc/{agent}/clear_refs")])?;
    world.docker(&["pull", &name])?.ok()?;
    let of_pull = peak(world, agent)?;
    // The largest windows that are taken, one of them beside the other and full.
    let large: Vec<Vec<u8>> = [b'a', b'b']
        .map(|byte| image::layer_tar(&[("large", vec![byte; 33 * MIB], 0o644)]))
        .into_iter()
        .collect::<Result<_>>()?;
    let large: Vec<&[u8]> = large.iter().map(Vec::as_slice).collect();
    let archive = image::docker_archive_of("windows:1", &large, serde_json::json!({ "Cmd": ["none"] }), "amd64")?;
    world
        .docker_with(&["load"], &image::with_zstd_layers(&archive, 27)?)?
        .exits(1)?
        .complains("a zstd window of 134217728 bytes is not supported: 33554432 is the most")?;
    world.docker_with(&["load"], &image::with_zstd_layers(&archive, 25)?)?.ok()?;
    let of_windows = peak(world, agent)?;
    world.cove(&["settings", "--concurrent-downloads", "3"])?.ok()?;
    world.docker(&["rm", "-f", "counts"])?.ok()?;
    world.docker(&["rmi", &name, "windows:1"])?.ok()?;
    ensure!(of_pull.max(of_windows) <= MOST_MEMORY, "the agent took {of_pull} KiB for the pull, then {of_windows}");
    Ok(())
}

/// KiB that a process has had at most.
fn peak(world: &World, process: u32) -> Result<u64> {
    let read = format!("awk '/^VmHWM:/ {{ print $2 }}' /proc/{process}/status");
    Ok(world.says(&["exec", "counts", "sh", "-c", &read])?.parse()?)
}

fn what_is_here_costs_one_question(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let mut registry = Registry::open()?;
    registry.put(&image::docker_archive("x:1", &image::root_tar(&[])?, serde_json::json!({}))?, "twice:1", "oci")?;
    let name = registry.name("twice:1");
    world.docker(&["pull", &name])?.ok()?;
    let before = registry.requests()?.len();
    world.docker(&["pull", &name])?.ok()?;
    let asked = registry.requests()?.split_off(before);
    ensure!(asked == ["HEAD /v2/twice/manifests/1"], "{asked:?}");
    world.docker(&["rmi", &name])?.ok()?;
    Ok(())
}
