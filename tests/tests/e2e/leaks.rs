//! Whatever containers took is given back: processes, mounts, cgroups, links, namespaces, descriptors and folders.
//! COVE_SOAK_CYCLES makes a soak of it.

use std::{collections::BTreeMap, env, time::Instant};

use anyhow::{Context as _, Result, bail, ensure};
use cove_tests::{command::DEADLINE, image::BUSYBOX, world::World};

crate::tests![containers_leave_nothing_behind];

/// Cycles of a run of all tests.
const CYCLES: usize = 200;
const THREADS: usize = 4;

/// A line for each thing that is counted. Run in a container that sees the whole machine.
const COUNT: &str = r#"
echo processes $(grep -l . /proc/[0-9]*/cmdline 2>/dev/null | wc -l)
echo mounts $(wc -l < /proc/1/mountinfo)
echo cgroups $(find /sys/fs/cgroup -type d | wc -l)
echo links $(ls /sys/class/net | wc -l)
echo namespaces $(ls -l /proc/[0-9]*/ns 2>/dev/null | grep -o '[a-z]*:\[[0-9]*' | sort -u | wc -l)
echo folders $(ls /proc/1/root/var/lib/cove/containers /proc/1/root/var/lib/cove/volumes | wc -l)
echo notes $(ls /proc/1/root/run/cove.endpoints | wc -l)
for agent in $(pidof cove-guest); do echo descriptors-$agent $(ls /proc/$agent/fd | wc -l); done
"#;

type Counts = BTreeMap<String, u64>;

fn containers_leave_nothing_behind(world: &World) -> Result<()> {
    let _use = world.alone();
    let cycles = match env::var("COVE_SOAK_CYCLES") {
        Ok(cycles) => cycles.parse().context("COVE_SOAK_CYCLES is no number")?,
        Err(_) => CYCLES,
    };
    let whole = ["--privileged", "--pid", "host", "--network", "host", "--cgroupns", "host"];
    world.says(&[&["run", "-d", "--name", "counts"], &whole[..], &[BUSYBOX, "sleep", "100000"]].concat())?;
    // Of all that is counted there is one that stays.
    world.says(&["run", "-d", "--name", "stays", "-v", "stays:/v", BUSYBOX, "sleep", "100000"])?;
    // What is made once is made now.
    (0..4).try_for_each(|number| cycle(world, number))?;
    let before = settled(world, |_| true)?;
    ensure!(before.values().all(|count| *count > 0) && before.len() == 9, "it is not seen what there is: {before:?}");
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn(move || (thread..cycles).step_by(THREADS).try_for_each(|number| cycle(world, number)))
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| bail!("a thread panicked")))
    })?;
    let grown = |now: &Counts| now.iter().any(|(name, count)| before.get(name).is_none_or(|before| count > before));
    let after = settled(world, |now| !grown(now))?;
    world.docker(&["rm", "-f", "counts", "stays"])?.ok()?;
    world.docker(&["volume", "rm", "stays"])?.ok()?;
    ensure!(!grown(&after), "after {cycles} containers:\n{before:?}\n{after:?}");
    Ok(())
}

/// A container's whole life, each of four in turn.
fn cycle(world: &World, number: usize) -> Result<()> {
    let name = format!("cycle-{number}");
    match number % 4 {
        0 => {
            world.says(&["run", "--rm", BUSYBOX, "true"])?;
        }
        1 => {
            world.says(&["create", "--name", &name, BUSYBOX, "sleep", "1000"])?;
            world.says(&["start", &name])?;
            world.says(&["kill", &name])?;
            world.docker(&["rm", "-f", &name])?.ok()?;
        }
        2 => {
            world.says(&["run", "-d", "--name", &name, "--init", "--network", "none", BUSYBOX, "sleep", "1000"])?;
            world.says(&["exec", &name, "true"])?;
            world.docker(&["rm", "-f", &name])?.ok()?;
        }
        _ => {
            world.says(&[
                "run",
                "--rm",
                "-v",
                "/anonymous",
                "--tmpfs",
                "/memory",
                BUSYBOX,
                "touch",
                "/anonymous/file",
            ])?;
        }
    }
    Ok(())
}

/// What is counted once it is good, or what was counted last: links and cgroups go a moment after their container.
fn settled(world: &World, good: impl Fn(&Counts) -> bool) -> Result<Counts> {
    let until = Instant::now() + DEADLINE;
    let mut last = count(world)?;
    loop {
        let now = count(world)?;
        if (now == last && good(&now)) || Instant::now() > until {
            return Ok(now);
        }
        last = now;
    }
}

fn count(world: &World) -> Result<Counts> {
    let said = world.says(&["exec", "counts", "sh", "-c", COUNT])?;
    let line = |line: &str| {
        let (name, count) = line.split_once(' ').with_context(|| format!("no count: {line}"))?;
        Ok((name.to_owned(), count.trim().parse()?))
    };
    said.lines().map(line).collect()
}
