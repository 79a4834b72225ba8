//! What is done with the two engines, and in which order: what should be alone is done alone, what is compared is done
//! in turns.

use std::{
    io::{self, Write as _},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use cove_tests::registry::Registry;

use crate::{
    Arguments, Measured, busybox,
    cove::Cove,
    docker::{Docker, Lap},
    images,
    peer::Peer,
    report,
};

/// Laps that are not counted: caches fill, pools too.
const WARM_UP: usize = 2;
/// How many containers run while memory is looked at: a few, then many.
const FEW: usize = 10;
const MANY: usize = 60;
/// How many clients are there at once, and how often.
const CROWD: usize = 50;
const CROWDS: usize = 3;
/// How often logs are written and read.
const FLOODS: usize = 5;

/// A part of a lap.
type Part = fn(&Lap) -> Duration;

/// All that was measured.
#[derive(Debug)]
pub(crate) struct Figures {
    /// Version of the peer's dockerd.
    pub(crate) peer_version: String,
    /// In the order of the report.
    pub(crate) rows: Vec<Row>,
}

/// One thing that was measured.
#[derive(Debug)]
pub(crate) struct Row {
    /// What, with its unit.
    pub(crate) name: String,
    /// Cove's figures.
    pub(crate) cove: Vec<f64>,
    /// The peer's; none where it has nothing like it.
    pub(crate) peer: Vec<f64>,
}

impl Row {
    pub(crate) fn new(name: impl Into<String>, cove: Vec<f64>, peer: Vec<f64>) -> Self {
        Self { name: name.into(), cove, peer }
    }
}

/// Rows that are shown as they come, as a later one may fail.
#[derive(Default)]
struct Rows(Vec<Row>);

impl Rows {
    fn push(&mut self, row: Row) {
        step(&report::line(&row));
        self.0.push(row);
    }

    fn extend(&mut self, rows: Vec<Row>) {
        rows.into_iter().for_each(|row| self.push(row));
    }
}

/// One engine that is measured.
struct Engine<'a> {
    docker: Docker,
    dial: &'a (dyn Fn() -> Result<Docker> + Sync),
    /// What the kernel calls the programs of the engine in the machine; Cove's two are what it booted.
    programs: &'static [&'static str],
    /// A container that sleeps.
    sleeper: String,
}

impl<'a> Engine<'a> {
    fn new(
        dial: &'a (dyn Fn() -> Result<Docker> + Sync),
        programs: &'static [&'static str],
        image: &[u8],
    ) -> Result<Self> {
        let mut docker = dial()?;
        docker.import(image)?;
        let sleeper = docker.sleeper()?;
        Ok(Self { docker, dial, programs, sleeper })
    }
}

/// Measures everything.
pub(crate) fn all(arguments: &Arguments) -> Result<Figures> {
    let image = busybox::root_file_system(&arguments.busybox)?;
    step("booting Cove's machine, twice");
    let cove_process = Cove::start(arguments)?;
    let mut docker = cove_process.docker()?;
    let first_boot = time_of_first_call(&mut docker)?;
    cove_process.stop_machine()?;
    let boot = time_of_first_call(&mut docker)?;

    step("booting the peer");
    let (peer_process, peer_boot) = Peer::boot(arguments)?;
    let peer_version = peer_process.docker()?.version()?;

    step("importing the image");
    let (to_cove, to_peer) = (|| cove_process.docker(), || peer_process.docker());
    let mut cove = Engine::new(&to_cove, &["init"], &image).context("Cove")?;
    let mut peer = Engine::new(&to_peer, &["dockerd", "containerd"], &image).context("peer")?;

    let mut rows = Rows::default();
    rows.push(Row::new("first boot, with a new data disk, s", vec![first_boot.as_secs_f64()], Vec::new()));
    rows.push(Row::new("boot to first answer, s", vec![boot.as_secs_f64()], vec![peer_boot.as_secs_f64()]));
    if arguments.wants(Measured::Containers) {
        containers(arguments, &mut cove, &mut peer, &mut rows)?;
    }
    if arguments.wants(Measured::Engine) {
        engines(&mut cove, &mut peer, &mut rows)?;
        let daemon = mebibytes(cove_process.daemon_resident_bytes()?);
        rows.push(Row::new("coved on the host, MiB", vec![daemon], Vec::new()));
    }
    if arguments.wants(Measured::Images) {
        step(&format!("an image of {} MiB", arguments.image_mib));
        let registry = Registry::open()?;
        let in_peer = peer_process.lead_to(&registry.address)?;
        let engines = [(&mut cove.docker, registry.address.clone()), (&mut peer.docker, in_peer)];
        rows.extend(images::measure(arguments.image_mib, &registry, engines)?);
    }
    Ok(Figures { peer_version, rows: rows.0 })
}

/// The lives of single containers.
fn containers(arguments: &Arguments, cove: &mut Engine<'_>, peer: &mut Engine<'_>, rows: &mut Rows) -> Result<()> {
    for (network, runs) in [("none", arguments.runs), ("host", arguments.runs), ("bridge", arguments.row)] {
        step(&format!("{runs} containers each, network {network}"));
        rows.extend(laps(cove, peer, network, runs)?);
    }
    step("execs and stats");
    let exec = |engine: &mut Engine<'_>| engine.docker.exec(&engine.sleeper);
    rows.push(in_turns("exec of true: create to exit, ms", WARM_UP, arguments.runs, cove, peer, exec)?);
    let stats = |engine: &mut Engine<'_>| engine.docker.stats(&engine.sleeper);
    rows.push(in_turns("stats, once, ms", WARM_UP, arguments.runs, cove, peer, stats)?);
    Ok(())
}

/// What an engine bears: output, many containers, many of them at once.
fn engines(cove: &mut Engine<'_>, peer: &mut Engine<'_>, rows: &mut Rows) -> Result<()> {
    step("logs");
    rows.extend(logs(cove, peer)?);
    step("memory");
    rows.extend(memory(cove, peer)?);
    step(&format!("{CROWD} containers at once, {CROWDS} times"));
    rows.push(in_turns("50 containers at once: create to removed, all, ms", 0, CROWDS, cove, peer, crowd)?);
    Ok(())
}

/// The machine boots for the first call that needs it.
fn time_of_first_call(cove: &mut Docker) -> Result<Duration> {
    let began = Instant::now();
    cove.list().context("boot Cove's machine")?;
    Ok(began.elapsed())
}

/// Has both do the same, one after the other.
fn in_turns(
    name: &str,
    warm_up: usize,
    times: usize,
    cove: &mut Engine<'_>,
    peer: &mut Engine<'_>,
    turn: impl Fn(&mut Engine<'_>) -> Result<Duration>,
) -> Result<Row> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for run in 0..warm_up + times {
        let (cove, peer) = (turn(cove).context("Cove")?, turn(peer).context("peer")?);
        if run >= warm_up {
            ours.push(millis(cove));
            theirs.push(millis(peer));
        }
    }
    Ok(Row::new(name, ours, theirs))
}

/// `/bin/true` in a container of its own.
fn laps(cove: &mut Engine<'_>, peer: &mut Engine<'_>, network: &str, runs: usize) -> Result<Vec<Row>> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for run in 0..WARM_UP + runs {
        let laps = (cove.docker.lap(network).context("Cove")?, peer.docker.lap(network).context("peer")?);
        if run >= WARM_UP {
            ours.push(laps.0);
            theirs.push(laps.1);
        }
    }
    let parts = [
        ("create", (|lap| lap.create) as Part),
        ("start", |lap| lap.start),
        ("wait", |lap| lap.wait),
        ("remove", |lap| lap.remove),
        ("create to removed", Lap::total),
    ];
    let of = |laps: &[Lap], part: Part| laps.iter().map(|lap| millis(part(lap))).collect();
    let row = |(name, part)| Row::new(format!("network {network}: {name}, ms"), of(&ours, part), of(&theirs, part));
    Ok(parts.map(row).into())
}

/// As many clients at once, each with a container.
fn crowd(engine: &mut Engine<'_>) -> Result<Duration> {
    let mut clients = (0..CROWD).map(|_| (engine.dial)()).collect::<Result<Vec<_>>>()?;
    let began = Instant::now();
    thread::scope(|scope| {
        let laps: Vec<_> = clients.iter_mut().map(|client| scope.spawn(|| client.lap("bridge"))).collect();
        laps.into_iter().try_for_each(|lap| lap.join().ok().context("a thread panicked")?.map(drop))
    })?;
    Ok(began.elapsed())
}

fn logs(cove: &mut Engine<'_>, peer: &mut Engine<'_>) -> Result<Vec<Row>> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..FLOODS {
        ours.push(cove.docker.flood().context("Cove")?);
        theirs.push(peer.docker.flood().context("peer")?);
    }
    let of = |floods: &[(Duration, Duration)], part: fn(&(Duration, Duration)) -> Duration| {
        floods.iter().map(|flood| millis(part(flood))).collect::<Vec<_>>()
    };
    let size = busybox::OUTPUT >> 20;
    Ok(vec![
        Row::new(format!("{size} MiB of output: start to exit, ms"), of(&ours, |f| f.0), of(&theirs, |f| f.0)),
        Row::new(format!("{size} MiB of log read, ms"), of(&ours, |f| f.1), of(&theirs, |f| f.1)),
    ])
}

fn memory(cove: &mut Engine<'_>, peer: &mut Engine<'_>) -> Result<Vec<Row>> {
    let (ours, theirs) = (grown(cove).context("Cove")?, grown(peer).context("peer")?);
    let each = |(few, many): (u64, u64)| vec![many.saturating_sub(few) as f64 / (MANY - FEW) as f64 / 1024.0];
    Ok(vec![
        Row::new(format!("engine with {FEW} containers, MiB"), vec![mebibytes(ours.0)], vec![mebibytes(theirs.0)]),
        Row::new("engine for each further idle container, KiB", each(ours), each(theirs)),
    ])
}

/// Resident bytes of an engine with few and with many idle containers.
fn grown(engine: &mut Engine<'_>) -> Result<(u64, u64)> {
    let mut ids = Vec::new();
    let mut with = |engine: &mut Engine<'_>, count: usize| {
        while ids.len() < count {
            ids.push(engine.docker.sleeper()?);
        }
        resident_bytes(&mut engine.docker, engine.programs)
    };
    let sizes = (with(engine, FEW)?, with(engine, MANY)?);
    ids.iter().try_for_each(|id| engine.docker.remove(id))?;
    Ok(sizes)
}

/// Sums up the resident memory of processes, by name.
fn resident_bytes(docker: &mut Docker, programs: &[&str]) -> Result<u64> {
    let script = "for status in /proc/[0-9]*/status; do \
                  awk '$1 == \"Name:\" { name = $2 } $1 == \"VmRSS:\" { print name, $2 }' $status; done";
    sum(&docker.output_with_all_processes(&["/bin/sh", "-c", script])?, programs)
}

fn sum(processes: &str, programs: &[&str]) -> Result<u64> {
    let mut kibibytes = 0;
    for line in processes.lines() {
        let mut words = line.split_whitespace();
        if let (Some(name), Some(number)) = (words.next(), words.next())
            && programs.iter().any(|engine| name.starts_with(engine))
        {
            kibibytes += number.parse::<u64>().with_context(|| format!("not a size: {line:?}"))?;
        }
    }
    ensure!(kibibytes > 0, "no process is called {programs:?}:\n{processes}");
    Ok(kibibytes * 1024)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn step(what: &str) {
    // Progress that nobody can read is no reason to stop.
    let _ = writeln!(io::stderr(), "bench: {what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peers_engine_is_dockerd_containerd_and_its_shims() {
        let processes = "init.sh 900\r\ndockerd 70000\r\ncontainerd 40000\r\ncontainerd-shim 9000\r\nsleep 4\r\n";
        let programs = ["dockerd", "containerd"];
        assert_eq!(sum(processes, &programs).unwrap(), 119_000 * 1024);
        assert!(sum("dockerd many", &programs).is_err());
        assert!(sum("sleep 4", &programs).is_err());
    }
}
