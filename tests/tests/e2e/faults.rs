//! What goes wrong rarely: the engine is killed at each of its steps, descriptors, memory and time run out or jump. What a
//! record says is true afterwards, nothing stays behind, and neighbours do not notice. docs/faults.md has the list.
//!
//! COVE_FAULT_STEPS, a number, says how many system calls lie between two places where something is killed.

use std::{env, os::unix::net::UnixStream, thread::ScopedJoinHandle, time::Instant};

use anyhow::{Context as _, Result, bail, ensure};
use cove_tests::{
    command::{DEADLINE, Watched},
    http::Connection,
    image::{self, BUSYBOX},
    model::{
        Command, Dice,
        history::{Call, linearize},
    },
    world::World,
};
use serde_json::{Value, json};

use crate::{
    leaks::{self, Counts},
    lifecycle::{Survivor, fact},
};

crate::tests![
    an_agent_that_is_killed_at_any_step_leaves_nothing_half_done,
    a_first_process_that_is_killed_at_any_step_has_not_started,
    a_system_call_that_fails_at_any_step_of_a_start_is_told_and_leaves_nothing,
    an_engine_that_ends_again_and_again_is_told_and_containers_run_on,
    a_data_disk_that_fails_is_told_and_whole_after_a_restart,
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

    /// Ends what it has begun. The agent may be ending of that just now, so it may have to be said again.
    fn disarm(&self) -> Result<()> {
        let disarm = ["exec", "saboteur", "sh", "-c", "killall fault 2>/dev/null || true"];
        if self.0.docker(&disarm)?.code() != 0 {
            self.0.docker(&disarm)?.ok()?;
        }
        Ok(())
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
    let counted = |name: &str| ["memory", "descriptors", "nodes"].iter().all(|what| !name.starts_with(what));
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

/// F-29, F-30: of the first process and of the agent, with a network of the user's own.
fn a_system_call_that_fails_at_any_step_of_a_start_is_told_and_leaves_nothing(world: &World) -> Result<()> {
    let _use = world.alone();
    let saboteur = Saboteur::start(world)?;
    leaks::start_counting(world)?;
    world.says(&["network", "create", "faulty"])?;
    let before = leaks::settled(world, |_| true)?;
    let mut told = 0;
    for (whose, first) in [("fail-first-process", 3), ("fail-agent", 2)] {
        for step in (first..).step_by(stride(70)?) {
            let agent = fact(world, "/guest/agent_pid")?;
            let mut failure = saboteur.begin(&[whose, &step.to_string()])?;
            failure.line("ready")?;
            let ran = world.docker(&["run", "--name", "victim", "--network", "faulty", BUSYBOX, "echo", "ran"])?;
            saboteur.disarm()?;
            let failed = failure.end()?.1.iter().any(|line| line.contains("failed with"));
            // An agent whose database fails ends, and takes along what it was to pass on.
            if !failed && fact(world, "/guest/agent_pid")? == agent {
                ran.ok().with_context(|| format!("{whose} {step}: nothing failed"))?;
                world.docker(&["rm", "victim"])?.ok()?;
                break;
            }
            // It may also be one that does not matter, or that the program itself makes.
            told += usize::from(ran.code() != 0);
            ensure!(ran.code() == 0 || !ran.stderr.is_empty(), "{whose} {step}: not a word\n{ran}");
            runs_after_all(world, "victim").with_context(|| format!("{whose} {step}\n{ran}"))?;
        }
    }
    ensure!(told > 3, "{told} failures were told only");
    nothing_is_left(world, &before)?;
    world.docker(&["network", "rm", "faulty"])?.ok()?;
    world.docker(&["rm", "-f", "counts"])?.ok()?;
    saboteur.end()
}

/// There is no such container, or it runs once nothing fails.
fn runs_after_all(world: &World, name: &str) -> Result<()> {
    if world.docker(&["inspect", name])?.stderr.contains("No such object") {
        return Ok(());
    }
    world.says(&["wait", name])?;
    ensure!(world.says(&["start", "-a", name])? == "ran", "it does not run");
    world.docker(&["rm", name])?.ok().map(drop)
}

/// F-13, F-33: what ends it is its database, which is damaged for a while.
fn an_engine_that_ends_again_and_again_is_told_and_containers_run_on(world: &World) -> Result<()> {
    let _use = world.alone();
    let saboteur = Saboteur::start(world)?;
    let survivor = Survivor::start(world)?;
    let database = "/proc/1/root/var/lib/cove/state.redb";
    world.docker(&["exec", "-d", "saboteur", "/fault", "damage", database, "8"])?.ok()?;
    let told = "times in a row: the database /var/lib/cove/state.redb is damaged; nothing was changed";
    wait_for_warning(world, |warnings| warnings.contains(told))?;
    wait_for_warning(world, |warnings| !warnings.contains("in a row"))?;
    survivor.runs_on()?;
    saboteur.end()
}

/// F-19.
fn a_data_disk_that_fails_is_told_and_whole_after_a_restart(world: &World) -> Result<()> {
    let _use = world.alone();
    let saboteur = Saboteur::start(world)?;
    world.says(&[
        "run",
        "-d",
        "--name",
        "kept",
        BUSYBOX,
        "sh",
        "-c",
        "echo written > /file; sync; echo ready; sleep 1000",
    ])?;
    world.log_line("kept", "ready")?;
    let images = world.says(&["images", "-q", "--no-trunc"])?;
    saboteur.begin(&["shut-down", "/proc/1/root/var/lib/cove"])?.line("shut down: Ok(0)")?;
    // The agent ends when its database fails, so this may hear of either.
    let refused = world.docker(&["create", "--name", "late", BUSYBOX])?.exits(1)?;
    ensure!(!refused.stderr.is_empty(), "{refused}");
    wait_for_warning(world, |warnings| warnings.contains("in a row") && warnings.contains("Input/output error"))?;
    world.cove(&["restart", "--time", "0"])?.ok()?;
    ensure!(world.says(&["images", "-q", "--no-trunc"])? == images, "other images than before");
    world.docker(&["start", "kept"])?.ok()?;
    ensure!(world.says(&["exec", "kept", "cat", "/file"])? == "written", "its file is not what it was");
    world.docker(&["inspect", "late"])?.exits(1)?;
    world.docker(&["rm", "-f", "kept"])?.ok()?;
    saboteur.end()
}

fn wait_for_warning(world: &World, good: impl Fn(&str) -> bool) -> Result<()> {
    let until = Instant::now() + DEADLINE;
    loop {
        let warnings = world.cove(&["status", "--format", "json"])?.ok()?.json()?["warnings"].to_string();
        if good(&warnings) {
            return Ok(());
        }
        ensure!(Instant::now() < until, "cove status says {warnings}");
    }
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

/// F-31: 32 clients, one container. There is an order of all calls in which their answers are right.
fn clients_that_do_everything_at_once_are_all_answered(world: &World) -> Result<()> {
    let _use = world.shared();
    let client = |client: usize| -> Result<Vec<Call>> {
        let mut api = world.api()?;
        let mut commands = Command::ALL.to_vec();
        // Each in an order of its own.
        let mut dice = Dice(client as u64);
        (1..commands.len()).for_each(|at| commands.swap(at, dice.roll(at + 1)));
        commands.into_iter().map(|command| ask(&mut api, command, "crowd")).collect()
    };
    let histories = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..32).map(|number| scope.spawn(move || client(number))).collect();
        let join = |client: ScopedJoinHandle<'_, _>| client.join().ok().context("a thread panicked")?;
        clients.into_iter().map(join).collect::<Result<Vec<_>>>()
    })?;
    // It is there or it is not; if it is, it can be used.
    whole(world, "crowd")?;
    // There is no such order of dockerd's answers.
    world.only_cove();
    linearize(&histories).map_err(anyhow::Error::msg)
}

fn ask(api: &mut Connection<UnixStream>, command: Command, name: &str) -> Result<Call> {
    let (method, path) = command.request(name);
    let body = match command {
        Command::Create => json!({ "Image": BUSYBOX, "Cmd": ["sleep", "1000"] }).to_string(),
        Command::Exec => json!({ "Cmd": ["true"] }).to_string(),
        _ => String::new(),
    };
    let began = Instant::now();
    let answer = api.request(method, &path, JSON, body.as_bytes())?;
    let ended = Instant::now();
    let words = String::from_utf8_lossy(&answer.body);
    let known = [200, 201, 204, 304, 404, 409].contains(&answer.status);
    // dockerd has the code 500 for these, too.
    let is_told = ["is not paused", "is marked for removal"].iter().any(|told| words.contains(told));
    ensure!(known || is_told, "{method} {path}: {} {words}", answer.status);
    let shown =
        serde_json::from_slice::<Value>(&answer.body).unwrap_or_default()["State"]["Status"].as_str().map(Into::into);
    Ok(Call { command, status: answer.status, shown, began, ended })
}

fn two_hundred_containers_run_at_once(world: &World) -> Result<()> {
    let _use = world.alone();
    let config = json!({ "Image": BUSYBOX, "Cmd": ["sleep", "1000"], "Labels": { "many": "" } });
    let some = |numbers: std::ops::Range<usize>| -> Result<()> {
        let mut api = world.api()?;
        for number in numbers {
            api.json("POST", &format!("/containers/create?name=many-{number}"), &config)?;
            api.json("POST", &format!("/containers/many-{number}/start"), &Value::Null)?;
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
