//! Whatever containers and images took is given back: processes, mounts, cgroups, links, namespaces, descriptors, folders and
//! layers. COVE_SOAK_CYCLES makes a soak of it, which says what it counted.

use std::{
    collections::BTreeMap,
    env,
    ops::Range,
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use cove_tests::{
    command::DEADLINE,
    http::Connection,
    image::{self, BUSYBOX},
    world::World,
};
use serde_json::{Value, json};

crate::tests![containers_leave_nothing_behind, images_leave_nothing_behind];

/// Cycles of a run of all tests.
const CYCLES: usize = 200;
/// The same of images.
const IMAGE_CYCLES: usize = 40;
const THREADS: usize = 4;
/// How often a soak counts: what grows without end shows as a slope.
const SOAK_PARTS: usize = 5;

/// A line for each thing that is counted. Run in a container that sees the whole machine.
const COUNT: &str = r#"
echo processes $(grep -l . /proc/[0-9]*/cmdline 2>/dev/null | wc -l)
echo mounts $(wc -l < /proc/1/mountinfo)
echo cgroups $(find /sys/fs/cgroup -type d | wc -l)
echo links $(ls /sys/class/net | wc -l)
echo namespaces $(ls -l /proc/[0-9]*/ns 2>/dev/null | grep -o '[a-z]*:\[[0-9]*' | sort -u | wc -l)
echo folders $(ls /proc/1/root/var/lib/cove/containers /proc/1/root/var/lib/cove/volumes | wc -l)
echo layers $(ls -A /proc/1/root/var/lib/cove/layers /proc/1/root/var/lib/cove/images | wc -l)
echo notes $(ls /proc/1/root/run/cove.endpoints | wc -l)
for process in $(pidof cove-guest); do
    name=$(tr '\0' ' ' < /proc/$process/cmdline | cut -d' ' -f2)
    echo "descriptors of $name $(ls /proc/$process/fd | wc -l)"
    echo "memory of $name $(awk '/^VmRSS:/ { print $2 }' /proc/$process/status)"
done
awk '/^kernfs_node_cache/ { print "nodes of kernfs", $2 }' /proc/slabinfo
awk '/^SUnreclaim:/ { print "memory of the kernel", $2 }' /proc/meminfo
"#;

/// KiB by which memory may be more afterwards. Allocators keep what was freed, the kernel frees in its own time: how much
/// of it a run takes says nothing, that it does not go with the number of cycles does.
const MEMORY: u64 = 24 * 1024;

/// Files and folders of cgroups and the like by which there may be more: each processor keeps some at hand. A file that is
/// open when its cgroup is removed would be two for each container.
const NODES: u64 = 200;

pub(crate) type Counts = BTreeMap<String, u64>;

fn containers_leave_nothing_behind(world: &World) -> Result<()> {
    let _use = world.alone();
    nothing_is_left_of(world, CYCLES, cycle)
}

fn images_leave_nothing_behind(world: &World) -> Result<()> {
    let _use = world.alone();
    nothing_is_left_of(world, IMAGE_CYCLES, image_cycle)?;
    let store = world.cove(&["doctor", "--store", "--content"])?.ok()?;
    ensure!(store.stdout.contains("all is there and all is needed"), "{store}");
    Ok(())
}

/// A whole life of something, of which the number makes one of several.
type Cycle = fn(&World, &mut Api, usize) -> Result<()>;
/// A connection to Docker's API: three commands for each life would take most of the time.
type Api = Connection<UnixStream>;

/// Lives so many lives, or as many as a soak wants, and counts before and after.
fn nothing_is_left_of(world: &World, usual: usize, cycle: Cycle) -> Result<()> {
    let (cycles, parts) = match env::var("COVE_SOAK_CYCLES") {
        Ok(cycles) => (cycles.parse().context("COVE_SOAK_CYCLES is no number")?, SOAK_PARTS),
        Err(_) => (usual, 1),
    };
    start_counting(world)?;
    // Of all that is counted there is one that stays.
    world.says(&["run", "-d", "--name", "stays", "-v", "stays:/v", BUSYBOX, "sleep", "100000"])?;
    // What is made once is made now.
    many(world, 0..4, cycle)?;
    let before = settled(world, |_| true)?;
    ensure!(before.values().all(|count| *count > 0) && before.len() == 14, "it is not seen what there is: {before:?}");
    let (began, mut counts) = (Instant::now(), vec![before.clone()]);
    let grown = |now: &Counts| {
        now.iter().any(|(name, count)| before.get(name).is_none_or(|before| *count > before + may_grow(name)))
    };
    for part in 0..parts {
        many(world, cycles * part / parts..cycles * (part + 1) / parts, cycle)?;
        counts.push(settled(world, |now| !grown(now))?);
    }
    if parts > 1 {
        show(cycles, began.elapsed(), &counts);
    }
    let after = counts.pop().context("no counts")?;
    world.docker(&["rm", "-f", "counts", "stays"])?.ok()?;
    world.docker(&["volume", "rm", "stays"])?.ok()?;
    ensure!(!grown(&after), "after {cycles} cycles:\n{before:?}\n{after:?}");
    Ok(())
}

/// Starts the container in which is counted, `counts`.
pub(crate) fn start_counting(world: &World) -> Result<()> {
    let whole = ["--privileged", "--pid", "host", "--network", "host", "--cgroupns", "host"];
    world.says(&[&["run", "-d", "--name", "counts"], &whole[..], &[BUSYBOX, "sleep", "100000"]].concat()).map(drop)
}

fn may_grow(name: &str) -> u64 {
    match name {
        "nodes of kernfs" => NODES,
        _ if name.starts_with("memory") => MEMORY,
        _ => 0,
    }
}

#[expect(clippy::print_stdout, reason = "who soaks wants to see it")]
fn show(cycles: usize, took: Duration, counts: &[Counts]) {
    let parts = counts.len() - 1;
    println!("\n{cycles} cycles in {} s", took.as_secs());
    let heads: Vec<String> = (0..=parts).map(|part| (cycles * part / parts).to_string()).collect();
    println!("| after so many cycles | {} |\n|{}", heads.join(" | "), " --- |".repeat(parts + 2));
    for name in counts[0].keys() {
        let row: Vec<String> = counts.iter().map(|counts| counts.get(name).copied().unwrap_or(0).to_string()).collect();
        let unit = if name.starts_with("memory") { ", KiB" } else { "" };
        println!("| {name}{unit} | {} |", row.join(" | "));
    }
}

/// Cycles of these numbers, in as many threads.
fn many(world: &World, cycles: Range<usize>, cycle: Cycle) -> Result<()> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let mut numbers = cycles.clone().skip(thread).step_by(THREADS);
                scope.spawn(move || {
                    let mut api = world.api()?;
                    numbers.try_for_each(|number| cycle(world, &mut api, number))
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| bail!("a thread panicked")))
    })
}

/// A container's whole life, each of four in turn.
fn cycle(_: &World, api: &mut Api, number: usize) -> Result<()> {
    let by_itself =
        json!({ "AutoRemove": true, "Tmpfs": if number % 4 == 3 { json!({ "/memory": "" }) } else { json!({}) } });
    match number % 4 {
        0 => {
            let id = begin(api, &json!({ "Image": BUSYBOX, "Cmd": ["true"], "HostConfig": by_itself }))?;
            goes(api, &id)
        }
        1 => {
            let id = begin(api, &json!({ "Image": BUSYBOX, "Cmd": ["sleep", "1000"] }))?;
            api.json("POST", &format!("/containers/{id}/kill"), &Value::Null)?;
            api.json("DELETE", &format!("/containers/{id}?force=1"), &Value::Null).map(drop)
        }
        2 => {
            let host = json!({ "NetworkMode": "none", "Init": true });
            let id = begin(api, &json!({ "Image": BUSYBOX, "Cmd": ["sleep", "1000"], "HostConfig": host }))?;
            let exec = api.json("POST", &format!("/containers/{id}/exec"), &json!({ "Cmd": ["true"] }))?;
            let exec = exec["Id"].as_str().context("no id")?;
            api.json("POST", &format!("/exec/{exec}/start"), &json!({ "Detach": true }))?;
            api.json("DELETE", &format!("/containers/{id}?force=1"), &Value::Null).map(drop)
        }
        _ => {
            let (command, volumes) = (["touch", "/anonymous/file"], json!({ "/anonymous": {} }));
            let config = json!({ "Image": BUSYBOX, "Cmd": command, "Volumes": volumes, "HostConfig": by_itself });
            let id = begin(api, &config)?;
            goes(api, &id)
        }
    }
}

/// Makes and starts one.
fn begin(api: &mut Api, config: &Value) -> Result<String> {
    let made = api.json("POST", "/containers/create", config)?;
    let id = made["Id"].as_str().context("no id")?.to_owned();
    api.json("POST", &format!("/containers/{id}/start"), &Value::Null)?;
    Ok(id)
}

/// Waits until it is removed, which it may be by now.
fn goes(api: &mut Api, id: &str) -> Result<()> {
    let gone = api.request("POST", &format!("/containers/{id}/wait?condition=removed"), "application/json", b"")?;
    ensure!([200, 404].contains(&gone.status), "{}", String::from_utf8_lossy(&gone.body));
    Ok(())
}

/// An image's whole life, each of four in turn: loaded, imported, committed, and torn.
fn image_cycle(world: &World, _: &mut Api, number: usize) -> Result<()> {
    let name = format!("cove-test/cycle-{number}:1");
    let noise = |seed: usize, bytes| image::layer_tar(&[("noise", image::noise(seed as u64 + 1, bytes), 0o644)]);
    // One layer that all have, and one of its own.
    let (ground, own) = (noise(0, 200_000)?, noise(number + 1, 200_000)?);
    match number % 4 {
        0 | 3 => {
            let config = serde_json::json!({ "Cmd": ["none"] });
            let archive = image::docker_archive_of(&name, &[&ground, &own], config, "amd64")?;
            if number % 4 == 3 {
                return world.docker_with(&["load"], &archive[..archive.len() / 2])?.exits(1).map(drop);
            }
            world.docker_with(&["load"], &archive)?.ok()?;
        }
        1 => drop(world.docker_with(&["import", "-", &name], &own)?.ok()?),
        _ => {
            let container = world.says(&["create", BUSYBOX, "true"])?;
            world.docker_with(&["cp", "-", &format!("{container}:/tmp")], &own)?.ok()?;
            world.docker(&["commit", &container, &name])?.ok()?;
            world.docker(&["rm", &container])?.ok()?;
        }
    }
    world.docker(&["rmi", &name])?.ok().map(drop)
}

/// What is counted once it is good, or what was counted last: links and cgroups go a moment after their container.
pub(crate) fn settled(world: &World, good: impl Fn(&Counts) -> bool) -> Result<Counts> {
    let until = Instant::now() + DEADLINE;
    let mut last = count(world)?;
    loop {
        let now = count(world)?;
        // Memory is never twice the same.
        let still = now.iter().all(|(name, count)| may_grow(name) > 0 || last.get(name) == Some(count));
        if (still && good(&now)) || Instant::now() > until {
            return Ok(now);
        }
        last = now;
    }
}

fn count(world: &World) -> Result<Counts> {
    let said = world.says(&["exec", "counts", "sh", "-c", COUNT])?;
    let line = |line: &str| {
        let (name, count) = line.rsplit_once(' ').with_context(|| format!("no count: {line}"))?;
        Ok((name.to_owned(), count.trim().parse()?))
    };
    said.lines().map(line).collect()
}
