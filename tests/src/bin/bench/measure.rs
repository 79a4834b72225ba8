//! What is done with the two engines, and in which order: what should be alone is done alone, what is compared is done
//! in turns.

use std::{
    io::{self, Write as _},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use cove_tests::registry::Registry;

use crate::{
    Arguments, busybox,
    cove::Cove,
    docker::{Docker, Lap},
    images::{self, Engine, Transfers},
    peer::Peer,
};

/// Laps that are not counted: caches fill, pools too.
const WARM_UP: usize = 2;
/// How many containers run while memory is looked at.
const SLEEPERS: usize = 10;

/// All that was measured.
#[derive(Debug)]
pub(crate) struct Figures {
    /// Version of the peer's dockerd.
    pub(crate) peer_version: String,
    /// Cove's first boot: the data disk is made, and KVM is tried.
    pub(crate) cove_first_boot: Duration,
    /// Cove's boot from then on.
    pub(crate) cove_boot: Duration,
    /// The peer's boot.
    pub(crate) peer_boot: Duration,
    /// Laps by kind of network.
    pub(crate) networks: Vec<Laps>,
    /// Of the large image.
    pub(crate) transfers: Transfers,
    /// Number of running containers at the time of the memory's figures.
    pub(crate) sleepers: usize,
    /// Resident bytes of the agent.
    pub(crate) agent: u64,
    /// Resident bytes of coved.
    pub(crate) daemon: u64,
    /// Resident bytes of dockerd, containerd and shims.
    pub(crate) peer_engine: u64,
}

/// Laps of both on one kind of network.
#[derive(Debug)]
pub(crate) struct Laps {
    /// The network's name in Docker's words.
    pub(crate) network: &'static str,
    /// Cove's.
    pub(crate) cove: Vec<Lap>,
    /// The peer's.
    pub(crate) peer: Vec<Lap>,
}

/// Measures everything.
pub(crate) fn all(arguments: &Arguments) -> Result<Figures> {
    let image = busybox::root_file_system(&arguments.busybox)?;
    step("booting Cove's machine, twice");
    let cove_process = Cove::start(arguments)?;
    let mut cove = cove_process.docker()?;
    let cove_first_boot = time_of_first_call(&mut cove)?;
    cove_process.stop_machine()?;
    let cove_boot = time_of_first_call(&mut cove)?;

    step("booting the peer");
    let (peer_process, peer_boot) = Peer::boot(arguments)?;
    let mut peer = peer_process.docker()?;
    let peer_version = peer.version()?;

    step("importing the image");
    cove.import(&image).context("Cove")?;
    peer.import(&image).context("peer")?;

    let mut networks = Vec::new();
    for network in ["none", "default"] {
        step(&format!("{} containers each, network {network}", arguments.runs));
        networks.push(laps(&mut cove, &mut peer, network, arguments.runs)?);
    }

    step(&format!("an image of {} MiB", arguments.image_mib));
    let registry = Registry::open()?;
    let in_peer = peer_process.lead_to(&registry.address)?;
    let engines = [
        Engine { docker: &mut cove, registry: registry.address.clone() },
        Engine { docker: &mut peer, registry: in_peer },
    ];
    let transfers = images::measure(arguments.image_mib, &registry, engines)?;

    step(&format!("memory with {SLEEPERS} containers"));
    let sleepers = with_sleepers(&mut cove)?;
    let (agent, daemon) = (cove_process.agent_resident_bytes()?, cove_process.daemon_resident_bytes()?);
    remove(&mut cove, &sleepers)?;
    let sleepers = with_sleepers(&mut peer)?;
    let peer_engine = engine_resident_bytes(&mut peer)?;
    remove(&mut peer, &sleepers)?;
    Ok(Figures {
        peer_version,
        cove_first_boot,
        cove_boot,
        peer_boot,
        networks,
        transfers,
        sleepers: SLEEPERS,
        agent,
        daemon,
        peer_engine,
    })
}

/// The machine boots for the first call that needs it.
fn time_of_first_call(cove: &mut Docker) -> Result<Duration> {
    let began = Instant::now();
    cove.list().context("boot Cove's machine")?;
    Ok(began.elapsed())
}

fn laps(cove: &mut Docker, peer: &mut Docker, network: &'static str, runs: usize) -> Result<Laps> {
    let mut laps = Laps { network, cove: Vec::new(), peer: Vec::new() };
    for run in 0..WARM_UP + runs {
        let (ours, theirs) = (cove.lap(network).context("Cove")?, peer.lap(network).context("peer")?);
        if run >= WARM_UP {
            laps.cove.push(ours);
            laps.peer.push(theirs);
        }
    }
    Ok(laps)
}

fn with_sleepers(engine: &mut Docker) -> Result<Vec<String>> {
    (0..SLEEPERS).map(|_| engine.sleeper()).collect()
}

fn remove(engine: &mut Docker, ids: &[String]) -> Result<()> {
    ids.iter().try_for_each(|id| engine.remove(id))
}

/// Sums up the resident memory of the peer's processes, by name.
fn engine_resident_bytes(peer: &mut Docker) -> Result<u64> {
    let script = "for status in /proc/[0-9]*/status; do \
                  awk '$1 == \"Name:\" { name = $2 } $1 == \"VmRSS:\" { print name, $2 }' $status; done";
    sum_of_engine(&peer.output_with_all_processes(&["/bin/sh", "-c", script])?)
}

fn sum_of_engine(processes: &str) -> Result<u64> {
    let mut kibibytes = 0;
    for line in processes.lines() {
        let mut words = line.split_whitespace();
        if let (Some(name), Some(number)) = (words.next(), words.next())
            && ["dockerd", "containerd"].iter().any(|engine| name.starts_with(engine))
        {
            kibibytes += number.parse::<u64>().with_context(|| format!("not a size: {line:?}"))?;
        }
    }
    Ok(kibibytes * 1024)
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
        assert_eq!(sum_of_engine(processes).unwrap(), 119_000 * 1024);
        assert!(sum_of_engine("dockerd many").is_err());
    }
}
