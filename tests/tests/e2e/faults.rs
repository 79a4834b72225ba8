//! What goes wrong rarely: the engine is killed at each of its steps, descriptors, memory and time run out or jump. What a
//! record says is true afterwards, nothing stays behind, and neighbours do not notice. docs/faults.md has the list.
//!
//! COVE_FAULT_STEPS, a number, says how many system calls lie between two places where something is killed.

use std::{env, time::Instant};

use anyhow::{Context as _, Result, bail, ensure};
use cove_tests::{
    command::{DEADLINE, Watched},
    image::{self, BUSYBOX},
    world::World,
};
use serde_json::json;

use crate::{
    leaks::{self, Counts},
    lifecycle::{Survivor, fact},
};

crate::tests![
    an_agent_that_is_killed_at_any_step_leaves_nothing_half_done,
    a_first_process_that_is_killed_at_any_step_has_not_started,
    an_agent_without_descriptors_refuses_and_recovers,
    a_container_without_descriptors_harms_nobody,
    ten_thousand_orphans_are_reaped_or_go_with_their_container,
    clients_that_do_everything_at_once_are_all_answered,
    two_hundred_containers_run_at_once,
    timers_do_not_mind_a_clock_that_jumps,
    networks_that_were_ready_and_are_no_more_are_made_anew,
];

const JSON: &str = "application/json";

/// The container in which tests/programs/fault.rs runs, with the machine's processes and devices in sight.
struct Saboteur<'w>(&'w World);

impl<'w> Saboteur<'w> {
    fn start(world: &'w World) -> Result<Self> {
        let image = image::with_program(world, "fault")?;
        let whole = ["--privileged", "--pid", "host", "--network", "host"];
        world.says(&[&["run", "-d", "--name", "saboteur"], &whole[..], &[&image, "sleep", "100000"]].concat())?;
        Ok(Self(world))
    }

    /// Has it begin something that says "ready" or the like.
    fn begin(&self, arguments: &[&str]) -> Result<Watched> {
        Watched::start(self.0.docker_command(&[&["exec", "saboteur", "/fault"], arguments].concat()))
    }

    fn shell(&self, script: &str) -> Result<String> {
        self.0.says(&["exec", "saboteur", "sh", "-c", script])
    }

    fn end(self) -> Result<()> {
        self.0.docker(&["rm", "-f", "saboteur"])?.ok().map(drop)
    }
}

/// How far apart the places are where something is killed.
fn stride(usual: usize) -> Result<usize> {
    env::var("COVE_FAULT_STEPS").map_or(Ok(usual), |steps| steps.parse().context("COVE_FAULT_STEPS is no number"))
}

/// What must not have become more. A new agent has descriptors and memory of its own.
fn is_no_more(before: &Counts, now: &Counts) -> bool {
    let counted = |name: &str| !name.starts_with("memory") && !name.starts_with("descriptors");
    now.iter().filter(|(name, _)| counted(name)).all(|(name, count)| before.get(name).is_some_and(|was| count <= was))
}

fn nothing_is_left(world: &World, before: &Counts) -> Result<()> {
    let after = leaks::settled(world, |now| is_no_more(before, now))?;
    ensure!(is_no_more(before, &after), "something is left:\n{before:?}\n{after:?}");
    Ok(())
}

/// F-01, F-02, F-03, F-05: while it creates, starts, execs and removes.
fn an_agent_that_is_killed_at_any_step_leaves_nothing_half_done(world: &World) -> Result<()> {
    let _use = world.alone();
    let saboteur = Saboteur::start(world)?;
    leaks::start_counting(world)?;
    let survivor = Survivor::start(world)?;
    let before = leaks::settled(world, |_| true)?;
    let mut killed = 0;
    for step in (2..).step_by(stride(60)?) {
        let agent = fact(world, "/guest/agent_pid")?;
        world.docker(&["exec", "-d", "saboteur", "/fault", "kill-agent", &step.to_string()])?.ok()?;
        let options = ["--name", "victim", "-v", "/anonymous", "-v", "victims:/v", "--health-cmd", "true"];
        for command in [
            &[&["create"], &options[..], &[BUSYBOX, "sleep", "1000"]].concat()[..],
            &["start", "victim"],
            &["exec", "victim", "true"],
            &["rm", "-f", "-v", "victim"],
        ] {
            // How it ends when the agent dies of it says nothing.
            world.docker(command)?;
        }
        if saboteur.shell("killall fault 2>/dev/null && echo past || true")? == "past" {
            break;
        }
        let now = fact(world, "/guest/agent_pid")?;
        ensure!(now != agent, "step {step}: the agent is still process {agent}");
        killed += 1;
        whole(world, "victim").with_context(|| format!("killed at step {step}"))?;
    }
    ensure!(killed > 3, "it was killed {killed} times only");
    survivor.runs_on()?;
    world.docker(&["volume", "prune", "-af"])?.ok()?;
    nothing_is_left(world, &before)?;
    world.docker(&["rm", "-f", "counts"])?.ok()?;
    saboteur.end()
}

/// There is no such container, or one that can be looked at, started and removed.
fn whole(world: &World, name: &str) -> Result<()> {
    let state = world.docker(&["inspect", "-f", "{{.State.Status}}", name])?;
    match state.stdout.as_str() {
        _ if state.stderr.contains("No such object") => Ok(()),
        "created" | "exited" | "running" => {
            world.docker(&["start", name])?.ok()?;
            world.docker(&["exec", name, "true"])?.ok()?;
            world.docker(&["rm", "-f", "-v", name])?.ok().map(drop)
        }
        // Its removal was cut off in the middle.
        "dead" | "removing" => world.docker(&["rm", "-f", "-v", name])?.ok().map(drop),
        other => bail!("it is {other:?}\n{state}"),
    }
}

/// F-02: the first process, from its birth to its program.
fn a_first_process_that_is_killed_at_any_step_has_not_started(world: &World) -> Result<()> {
    let _use = world.alone();
    let saboteur = Saboteur::start(world)?;
    leaks::start_counting(world)?;
    let before = leaks::settled(world, |_| true)?;
    let mut killed = 0;
    for step in (1..).step_by(stride(60)?) {
        let mut kill = saboteur.begin(&["kill-first-process", &step.to_string()])?;
        kill.line("ready")?;
        let ran = world.docker(&["run", "--name", "victim", BUSYBOX, "echo", "ran"])?;
        if ran.code() == 0 {
            kill.line("past")?;
            world.docker(&["rm", "victim"])?.ok()?;
            break;
        }
        kill.line("killed")?;
        killed += 1;
        let state = world.says(&["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}} {{.State.Pid}}", "victim"])?;
        // Killed as the program that it had become, or before.
        let expected = if ran.code() == 137 { "exited 137 0" } else { "created 128 0" };
        ensure!(state == expected && (ran.code() == 137 || ran.code() == 125), "step {step}: {state}\n{ran}");
        world.docker(&["start", "victim"])?.ok()?;
        world.says(&["wait", "victim"])?;
        ensure!(world.says(&["logs", "victim"])?.ends_with("ran"), "step {step}: it does not run afterwards");
        world.docker(&["rm", "victim"])?.ok()?;
    }
    ensure!(killed > 3, "it was killed {killed} times only");
    nothing_is_left(world, &before)?;
    world.docker(&["rm", "-f", "counts"])?.ok()?;
    saboteur.end()
}

/// F-29.
fn an_agent_without_descriptors_refuses_and_recovers(world: &World) -> Result<()> {
    let _use = world.alone();
    let saboteur = Saboteur::start(world)?;
    let survivor = Survivor::start(world)?;
    let agent = fact(world, "/guest/agent_pid")?;
    for spare in ["12", "24"] {
        let mut limit = saboteur.begin(&["limit", &agent.to_string(), spare, "3"])?;
        limit.line("limited")?;
        std::thread::scope(|scope| {
            let runs: Vec<_> = (0..6)
                .map(|_| scope.spawn(|| world.docker(&["run", "--rm", "--label", "starved", BUSYBOX, "echo", "ran"])))
                .collect();
            runs.into_iter().try_for_each(|run| {
                let done = run.join().ok().context("a thread panicked")??;
                // In words, if it is refused.
                ensure!((done.code() == 0 && done.stdout == "ran") || !done.stderr.is_empty(), "{done}");
                Ok(())
            })
        })?;
        limit.end()?;
    }
    ensure!(world.says(&["run", "--rm", BUSYBOX, "echo", "ran"])? == "ran", "it does not recover");
    ensure!(fact(world, "/guest/agent_pid")? == agent, "the agent died of it");
    survivor.runs_on()?;
    // Where docker was refused an attach after the create, it leaves what it has created, on every engine.
    for left in world.says(&["ps", "-aq", "--filter", "label=starved"])?.lines() {
        let state = world.says(&["inspect", "-f", "{{.State.Status}}", left])?;
        ensure!(state == "created", "a container was left behind: {state}");
        world.docker(&["rm", left])?.ok()?;
    }
    saboteur.end()
}

fn a_container_without_descriptors_harms_nobody(world: &World) -> Result<()> {
    let _use = world.shared();
    let image = image::with_program(world, "fault")?;
    world.says(&["run", "-d", "--name", "opens", "--ulimit", "nofile=5000:5000", &image, "/fault", "descriptors"])?;
    let said = world.log_line("opens", "files are open")?;
    ensure!(said.contains("Too many open files"), "{said}");
    ensure!(world.says(&["exec", "opens", "echo", "here"])? == "here", "nobody gets into it any more");
    ensure!(world.says(&["run", "--rm", BUSYBOX, "echo", "ran"])? == "ran", "nothing starts any more");
    world.docker(&["rm", "-f", "opens"])?.ok()?;
    Ok(())
}

/// F-11.
fn ten_thousand_orphans_are_reaped_or_go_with_their_container(world: &World) -> Result<()> {
    let _use = world.shared();
    let image = image::with_program(world, "fault")?;
    let dead = "grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l";
    world.says(&["run", "-d", "--name", "orphanage", &image, "/fault", "orphans", "10000"])?;
    world.log_line("orphanage", "10000 orphans")?;
    let left: u32 = world.says(&["exec", "orphanage", "sh", "-c", dead])?.parse()?;
    ensure!(left >= 10_000, "{left} are there");
    ensure!(world.says(&["run", "--rm", BUSYBOX, "echo", "ran"])? == "ran", "nothing starts any more");
    world.docker(&["stop", "-t", "0", "orphanage"])?.ok()?;
    world.docker(&["rm", "orphanage"])?.ok()?;
    world.says(&["run", "-d", "--init", "--name", "orphanage", &image, "/fault", "orphans", "500"])?;
    world.log_line("orphanage", "500 orphans")?;
    let none = format!("while [ $({dead}) -gt 1 ]; do :; done; echo reaped");
    ensure!(world.says(&["exec", "orphanage", "sh", "-c", &none])? == "reaped", "they are not reaped");
    world.docker(&["rm", "-f", "orphanage"])?.ok()?;
    world.only_cove();
    let pid_1 = world.says(&[
        "run",
        "--rm",
        "--pid",
        "host",
        BUSYBOX,
        "sh",
        "-c",
        "ps -o ppid,stat | grep -c '^ *1 Z' || true",
    ])?;
    ensure!(pid_1 == "0", "PID 1 has {pid_1} dead children");
    Ok(())
}

/// F-31: 32 clients, one container.
fn clients_that_do_everything_at_once_are_all_answered(world: &World) -> Result<()> {
    let _use = world.shared();
    let create = json!({ "Image": BUSYBOX, "Cmd": ["sleep", "1000"] }).to_string();
    let exec = json!({ "Cmd": ["true"] }).to_string();
    let requests = [
        ("POST", "/containers/create?name=crowd", create.as_str()),
        ("POST", "/containers/crowd/start", ""),
        ("POST", "/containers/crowd/exec", exec.as_str()),
        ("POST", "/containers/crowd/pause", ""),
        ("POST", "/containers/crowd/unpause", ""),
        ("POST", "/containers/crowd/kill", ""),
        ("POST", "/containers/crowd/restart?t=0", ""),
        ("POST", "/containers/crowd/stop?t=0", ""),
        ("GET", "/containers/crowd/json", ""),
        ("DELETE", "/containers/crowd?force=1", ""),
    ];
    let client = |client: usize| -> Result<()> {
        let mut api = world.api()?;
        // Each in an order of its own.
        for turn in 0..requests.len() {
            let (method, path, body) = requests[(client * 7 + turn * (1 + 2 * (client % 2))) % requests.len()];
            let answer = api.request(method, path, JSON, body.as_bytes())?;
            let known = [200, 201, 204, 304, 404, 409].contains(&answer.status);
            let words = String::from_utf8_lossy(&answer.body);
            // dockerd has this code for it, too.
            let is_told = answer.status == 500 && words.contains("is not paused");
            ensure!(known || is_told, "{method} {path}: {} {words}", answer.status);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..32).map(|number| scope.spawn(move || client(number))).collect();
        clients.into_iter().try_for_each(|client| client.join().ok().context("a thread panicked")?)
    })?;
    // It is there or it is not; if it is, it can be used.
    whole(world, "crowd")
}

fn two_hundred_containers_run_at_once(world: &World) -> Result<()> {
    let _use = world.alone();
    let config = json!({ "Image": BUSYBOX, "Cmd": ["sleep", "1000"], "Labels": { "many": "" } }).to_string();
    let some = |numbers: std::ops::Range<usize>| -> Result<()> {
        let mut api = world.api()?;
        for number in numbers {
            let made =
                api.request("POST", &format!("/containers/create?name=many-{number}"), JSON, config.as_bytes())?;
            ensure!(made.status == 201, "{}", String::from_utf8_lossy(&made.body));
            let started = api.request("POST", &format!("/containers/many-{number}/start"), JSON, b"")?;
            ensure!(started.status == 204, "{number}: {}", String::from_utf8_lossy(&started.body));
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|part| scope.spawn(move || some(part * 25..(part + 1) * 25))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().ok().context("a thread panicked")?)
    })?;
    let running = world.says(&["ps", "-q", "--filter", "label=many"])?;
    ensure!(running.lines().count() == 200, "{} run", running.lines().count());
    ensure!(world.says(&["exec", "many-150", "echo", "here"])? == "here", "nobody gets into them");
    let all: Vec<&str> = ["rm", "-f"].into_iter().chain(running.lines()).collect();
    world.docker(&all)?.ok()?;
    Ok(())
}

/// F-25.
fn timers_do_not_mind_a_clock_that_jumps(world: &World) -> Result<()> {
    let _use = world.alone();
    let saboteur = Saboteur::start(world)?;
    for (name, interval) in [("often", "1s"), ("seldom", "600s")] {
        let check = ["--health-cmd", "date +%s", "--health-interval", interval];
        world.says(&[&["run", "-d", "--name", name], &check[..], &[BUSYBOX, "sleep", "1000"]].concat())?;
    }
    let checks = |name: &str| world.says(&["inspect", "-f", "{{range .State.Health.Log}}{{.Output}}{{end}}", name]);
    for jump in [3600, -3600] {
        saboteur.shell(&format!("date -s @$(($(date +%s) + {jump}))"))?;
        let began: i64 = saboteur.shell("date +%s")?.parse()?;
        // A check that was made since, by the clock that has jumped.
        let until = Instant::now() + DEADLINE;
        let since = |check: &str| check.parse().is_ok_and(|time: i64| (began..began + 1800).contains(&time));
        while !checks("often")?.lines().any(since) {
            ensure!(Instant::now() < until, "{jump}: no check any more");
        }
        ensure!(checks("seldom")?.is_empty(), "{jump}: a check before its time");
        world.docker(&["restart", "-t", "1", "often"])?.ok()?;
        let status = world.says(&["ps", "--filter", "name=often", "--format", "{{.Status}}"])?;
        ensure!(status.starts_with("Up "), "{status}");
    }
    world.docker(&["rm", "-f", "often", "seldom"])?.ok()?;
    saboteur.end()
}

/// F-32.
fn networks_that_were_ready_and_are_no_more_are_made_anew(world: &World) -> Result<()> {
    let _use = world.alone();
    let saboteur = Saboteur::start(world)?;
    saboteur.shell("for link in $(ls /sys/class/net | grep ^veth); do ip link del $link; done")?;
    for _ in 0..5 {
        world.says(&["run", "--rm", BUSYBOX, "ping", "-c", "1", "172.17.0.1"])?;
    }
    saboteur.end()
}
