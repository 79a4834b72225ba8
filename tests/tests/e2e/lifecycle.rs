//! The machine and the daemon come and go; containers and images stay. Each test has the machine for itself and leaves it
//! running.

use std::{fs, time::Instant};

use anyhow::{Context as _, Result, bail, ensure};
use cove_tests::{
    command::{DEADLINE, Stranger, Watched, kill},
    image::BUSYBOX,
    world::World,
};
use serde_json::Value;

use crate::registry::HalfPulled;

crate::tests![
    containers_and_images_outlive_a_restart_of_the_machine,
    containers_and_images_outlive_a_power_cut,
    a_container_runs_on_when_the_daemon_is_killed,
    a_container_runs_on_when_the_agent_is_killed,
    a_stopped_machine_starts_on_the_first_call_that_needs_it,
    sigterm_ends_daemon_and_machine_in_order,
];

/// Writes a file in its first run and none in later ones, so that a file that is there then has outlived what came between.
const WRITES_ONCE: &str =
    "if [ -e /file ]; then echo found; else echo written > /file; sync; echo ready; fi; sleep 1000";

fn containers_and_images_outlive_a_restart_of_the_machine(world: &World) -> Result<()> {
    let _use = world.alone();
    world.says(&["run", "-d", "--name", "kept", BUSYBOX, "sh", "-c", WRITES_ONCE])?;
    world.log_line("kept", "ready")?;
    let images = world.says(&["images", "-q", "--no-trunc"])?;
    world.cove(&["stop", "--time", "2"])?.ok()?;
    world.cove(&["start", "--docker-context=no"])?.ok()?;
    ensure!(world.says(&["images", "-q", "--no-trunc"])? == images, "other images than before");
    let status = world.says(&["inspect", "-f", "{{.State.Status}}", "kept"])?;
    ensure!(status == "exited", "{status}");
    ensure!(world.says(&["logs", "kept"])? == "ready", "its log is not what it was");
    world.docker(&["start", "kept"])?.ok()?;
    world.log_line("kept", "found")?;
    ensure!(world.says(&["exec", "kept", "cat", "/file"])? == "written", "its file is not what it was");
    world.docker(&["rm", "-f", "kept"])?.ok()?;
    Ok(())
}

fn containers_and_images_outlive_a_power_cut(world: &World) -> Result<()> {
    let _use = world.alone();
    world.says(&["run", "-d", "--name", "cut", BUSYBOX, "sh", "-c", WRITES_ONCE])?;
    world.log_line("cut", "ready")?;
    let images = world.says(&["images", "-q", "--no-trunc"])?;
    let counts = "echo begin; n=0; while :; do n=$((n+1)); echo line $n; sleep 0.1; done";
    world.says(&["run", "-d", "--name", "cut-always", "--restart", "always", BUSYBOX, "sh", "-c", counts])?;
    world.log_line("cut-always", "line 5")?;
    let half = HalfPulled::begin(world)?;
    let helper = fact(world, "/hypervisor/helper_pid")?;
    let qemu = child_named(helper, "qemu-system")?;
    let mut begun = Vec::new();
    for name in ["cut-1", "cut-2", "cut-3"] {
        // How they end, when the machine goes while they start, says nothing.
        begun.push(Watched::start(world.docker_command(&["run", "-d", "--name", name, BUSYBOX, "sleep", "1000"]))?);
    }
    begun.remove(0).end()?;
    kill(qemu);
    wait_for_state(world, "failed")?;
    // The first call boots it again.
    let status = world.says(&["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "cut"])?;
    ensure!(status == "exited 255", "{status}");
    ensure!(world.says(&["images", "-q", "--no-trunc"])? == images, "other images than before");
    half.given_up().comes_whole(world)?;
    comes_back_once(world, "cut-always")?;
    drop(begun);
    for name in ["cut-1", "cut-2", "cut-3"] {
        let done = world.docker(&["start", name])?;
        ensure!(done.code() == 0 || done.stderr.contains("No such container"), "{done}");
        world.docker(&["rm", "-f", name])?.ok()?;
    }
    world.docker(&["start", "cut"])?.ok()?;
    world.log_line("cut", "found")?;
    ensure!(world.says(&["exec", "cut", "cat", "/file"])? == "written", "its file is not what it was");
    world.docker(&["rm", "-f", "cut"])?.ok()?;
    Ok(())
}

/// What is always to run runs again, begun once since. What is there of its log is whole lines in order: what had not
/// reached the disk is lost.
fn comes_back_once(world: &World, name: &str) -> Result<()> {
    let until = Instant::now() + DEADLINE;
    while world.says(&["inspect", "-f", "{{.State.Status}}", name])? != "running" {
        ensure!(Instant::now() < until, "{name} does not come back");
    }
    world.log_line(name, "line 5")?;
    let log = world.says(&["logs", name])?;
    let mut expected = 0;
    for line in log.lines() {
        expected = if line == "begin" { 1 } else { expected + 1 };
        ensure!(line == "begin" || line == format!("line {}", expected - 1), "{line:?} in\n{log}");
    }
    ensure!((1..=2).contains(&log.matches("begin").count()), "{log}");
    world.docker(&["rm", "-f", name])?.ok()?;
    Ok(())
}

fn a_container_runs_on_when_the_daemon_is_killed(world: &World) -> Result<()> {
    let _use = world.alone();
    let survivor = Survivor::start(world)?;
    let (daemon, helper) = (fact(world, "/daemon/pid")?, fact(world, "/hypervisor/helper_pid")?);
    let mut follower = Watched::start(world.docker_command(&["logs", "-f", "survivor"]))?;
    follower.line("line")?;
    kill(daemon);
    // The client's connection ends with the daemon: that is when it is gone.
    follower.end()?;
    let daemon_now = {
        world.cove(&["start", "--docker-context=no"])?.ok()?;
        fact(world, "/daemon/pid")?
    };
    ensure!(daemon_now != daemon, "the daemon is still the old one");
    ensure!(fact(world, "/hypervisor/helper_pid")? == helper, "the machine is another one");
    survivor.runs_on()
}

/// A privileged container is root in the guest, so it can kill the agent: by the program that the kernel runs for a core
/// dump, outside of the container. It gains nothing by it: PID 1 starts another, and what ran runs on.
pub(crate) fn kill_the_agent(world: &World) -> Result<()> {
    let agent = fact(world, "/guest/agent_pid")?;
    let id = world.says(&["create", "--privileged", "--name", "killer", BUSYBOX, "sleep", "1000"])?;
    world.docker(&["start", "killer"])?.ok()?;
    let killer = format!(
        "cp /bin/busybox /kill; echo '|/var/lib/cove/containers/{id}/upper/kill -9 {agent}' \
         > /proc/sys/kernel/core_pattern; sh -c 'kill -SEGV $$'; echo core > /proc/sys/kernel/core_pattern"
    );
    // The agent that serves this call dies of it, so how the call ends says nothing.
    world.docker(&["exec", "killer", "sh", "-c", &killer])?;
    let until = Instant::now() + DEADLINE;
    while !fact(world, "/guest/agent_pid").is_ok_and(|now| now != agent) {
        ensure!(Instant::now() < until, "no other agent than process {agent}");
    }
    world.docker(&["rm", "-f", "killer"])?.ok()?;
    Ok(())
}

fn a_container_runs_on_when_the_agent_is_killed(world: &World) -> Result<()> {
    let _use = world.alone();
    let survivor = Survivor::start(world)?;
    let address = ["inspect", "-f", "{{.NetworkSettings.IPAddress}}", "survivor"];
    let before = world.says(&address)?;
    let on_terminal = ["exec", "-t", "survivor", "sh", "-c", "echo here; exec sleep 4000"];
    let mut on_terminal = Watched::start(world.docker_command(&on_terminal))?;
    on_terminal.line("here")?;
    kill_the_agent(world)?;

    // Nobody can come back to an exec; one with a terminal is hung up.
    on_terminal.end()?;
    let hung_up = "while pgrep -f '[s]leep 4000'; do :; done";
    world.docker(&["exec", "survivor", "sh", "-c", hung_up])?.ok()?;

    // Its address is still its own.
    ensure!(world.says(&address)? == before, "another address than {before}");
    let beside = format!("hostname -i | grep -vx {before} && ping -c 1 {before}");
    world.says(&["run", "--rm", BUSYBOX, "sh", "-c", &beside])?;

    // What the dead agent told is not lost either.
    let asked = ["events", "--since", "1h", "--until", "0s", "--filter", "container=survivor"];
    let told = world.says(&[&asked[..], &["--filter", "event=start", "--format", "{{.Action}}"]].concat())?;
    ensure!(told.ends_with("start"), "events were lost: {told}");
    survivor.runs_on()
}

fn a_stopped_machine_starts_on_the_first_call_that_needs_it(world: &World) -> Result<()> {
    let _use = world.alone();
    world.cove(&["stop", "--time", "2"])?.ok()?;
    // These need no machine, so they start none.
    let server = world.says(&["version", "--format", "{{.Server.Os}}/{{.Server.Arch}} {{.Server.KernelVersion}}"])?;
    ensure!(server.starts_with("linux/amd64 6."), "{server}");
    ensure!(state(world)? == "stopped", "docker version started the machine");
    ensure!(world.says(&["run", "--rm", BUSYBOX, "echo", "up"])? == "up", "it did not run");
    ensure!(state(world)? == "running", "{}", state(world)?);
    Ok(())
}

fn sigterm_ends_daemon_and_machine_in_order(world: &World) -> Result<()> {
    let _use = world.alone();
    let helper = Stranger::hold(fact(world, "/hypervisor/helper_pid")?)?;
    world.cove(&["stop", "--daemon", "--time", "2"])?.ok()?;
    for socket in ["engine", "docker"] {
        ensure!(!world.socket(socket).exists(), "{socket}.sock was left behind");
    }
    helper.ends().context("the helper was left behind")?;
    world.cove(&["start", "--docker-context=no"])?.ok()?;
    let exit = world.cove(&["machine-log", "-n", "200"])?.ok()?;
    ensure!(!exit.stdout.contains("panic"), "{exit}");
    Ok(())
}

/// A container that counts aloud, to see that nothing of it is lost while something else is killed.
pub(crate) struct Survivor<'w> {
    world: &'w World,
    identity: String,
}

impl<'w> Survivor<'w> {
    pub(crate) fn start(world: &'w World) -> Result<Self> {
        let script = "n=0; while :; do n=$((n+1)); echo line $n; sleep 1; done";
        world.says(&["run", "-d", "--name", "survivor", BUSYBOX, "sh", "-c", script])?;
        world.log_line("survivor", "line 1")?;
        Ok(Self { world, identity: Self::identity(world)? })
    }

    fn identity(world: &World) -> Result<String> {
        world.says(&["inspect", "-f", "{{.State.Status}} {{.State.Pid}} {{.State.StartedAt}}", "survivor"])
    }

    /// It is the process that it was, takes another beside it, counts on, and no line is lost or there twice.
    pub(crate) fn runs_on(self) -> Result<()> {
        let (world, before, after) = (self.world, self.identity, Self::identity(self.world)?);
        ensure!(before == after, "{before} became {after}");
        ensure!(world.says(&["exec", "survivor", "echo", "here"])? == "here", "exec does not work any more");
        let count = world.says(&["logs", "survivor"])?.lines().count();
        world.log_line("survivor", &format!("line {}", count + 2))?;
        let lines = world.says(&["logs", "survivor"])?;
        let in_order = lines.lines().enumerate().all(|(at, line)| line == format!("line {}", at + 1));
        ensure!(in_order, "a line is lost or there twice:\n{lines}");
        world.docker(&["rm", "-f", "survivor"])?.ok()?;
        Ok(())
    }
}

/// A number out of `cove explain`.
pub(crate) fn fact(world: &World, path: &str) -> Result<u32> {
    let told = world.cove(&["explain", "--format", "json"])?.ok()?.json()?;
    let number = told.pointer(path).and_then(Value::as_u64).with_context(|| format!("{path} in {told}"))?;
    Ok(u32::try_from(number)?)
}

fn state(world: &World) -> Result<String> {
    let status = world.cove(&["status", "--format", "json"])?.ok()?.json()?;
    Ok(status["state"].as_str().unwrap_or_default().to_owned())
}

/// Asks until the machine is in this state: the command line has no way to be told.
fn wait_for_state(world: &World, wanted: &str) -> Result<()> {
    let until = Instant::now() + DEADLINE;
    loop {
        let now = state(world)?;
        if now == wanted {
            return Ok(());
        }
        if Instant::now() > until {
            bail!("the machine is {now}, not {wanted}");
        }
    }
}

/// A descendant of a process, by the beginning of its name.
pub(crate) fn child_named(parent: u32, name: &str) -> Result<u32> {
    let mut processes = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let (Some(open), Some(close)) = (stat.find('('), stat.rfind(')')) else { continue };
        let ppid = stat[close + 1..].split_whitespace().nth(1).and_then(|ppid| ppid.parse::<u32>().ok());
        processes.push((pid, ppid.unwrap_or(0), stat[open + 1..close].to_owned()));
    }
    let mut family = vec![parent];
    let mut at = 0;
    while let Some(one) = family.get(at).copied() {
        family.extend(processes.iter().filter(|(_, ppid, _)| *ppid == one).map(|(pid, _, _)| *pid));
        at += 1;
    }
    let found = processes.iter().find(|(pid, _, comm)| family.contains(pid) && comm.starts_with(name));
    found.map(|(pid, _, _)| *pid).with_context(|| format!("no {name} below process {parent}"))
}
