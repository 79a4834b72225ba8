//! What happens to a container by itself or while it runs: restarts, pauses, updates, checks of its health. The clock is
//! the test's: it goes on when nothing else does.

use cove_proto::v1::{HealthStatus, Healthcheck, Resources, RestartPolicy, RestartPolicyKind};
use tokio::time::{Duration, Instant, sleep};

use super::*;

const SECOND: i64 = 1_000_000_000;

pub(super) fn restarting(kind: RestartPolicyKind, maximum_retry_count: u32) -> ContainerSpec {
    let restart_policy = Some(RestartPolicy { kind: kind.into(), maximum_retry_count });
    ContainerSpec { restart_policy, ..spec() }
}

fn checked(healthcheck: Healthcheck) -> ContainerSpec {
    let test = vec!["CMD-SHELL".to_owned(), "check".to_owned()];
    ContainerSpec { healthcheck: Some(Healthcheck { test, ..healthcheck }), ..spec() }
}

impl World {
    /// Waits for another program of a container than this, and how long it took to come.
    async fn next_run(&self, container: &str, last: &Arc<FakeProgram>) -> (Arc<FakeProgram>, Duration) {
        let begin = Instant::now();
        let entry = self.containers.find(container).unwrap();
        let mut view = entry.watch();
        view.wait_for(|view| view.program.as_ref().is_some_and(|now| now.pid() != last.pid())).await.unwrap();
        (self.launcher.program(&entry.id), begin.elapsed())
    }

    /// Waits until a container is as it should be.
    pub(super) async fn comes(&self, container: &str, is: impl FnMut(&Arc<View>) -> bool) -> Arc<View> {
        let mut view = self.containers.find(container).unwrap().watch();
        view.wait_for(is).await.unwrap().clone()
    }

    async fn state(&self, container: &str) -> v1::ContainerState {
        self.containers.inspect(container, false).await.unwrap().state.unwrap()
    }

    /// The check that runs now, or is the next to.
    async fn check(&self, container: &str) -> Arc<FakeProgram> {
        let entry = self.containers.find(container).unwrap();
        while entry.exec_ids().is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
        self.launcher.program(&entry.exec_ids()[0])
    }
}

fn about(found: Duration, expected_millis: u64) -> bool {
    let expected = Duration::from_millis(expected_millis);
    found >= expected && found < expected + Duration::from_millis(50)
}

#[tokio::test(start_paused = true)]
async fn what_is_always_to_run_is_restarted_after_growing_delays() {
    let world = World::new().await;
    let (_, mut program) = world.started("web", restarting(RestartPolicyKind::Always, 0)).await;
    for (count, delay) in [(1, 100), (2, 200), (3, 400)] {
        program.exits(0);
        let waiting = world.comes("web", |view| view.is_restarting()).await;
        assert_eq!((waiting.status(), waiting.record.restart_count), (ContainerStatus::Exited, count));
        let state = world.state("web").await;
        assert!(state.restarting && state.pid == 0);
        let (next, waited) = world.next_run("web", &program).await;
        assert!(about(waited, delay), "{waited:?} of {delay} ms");
        program = next;
    }
    // A good run, and the delays begin anew.
    sleep(Duration::from_secs(10)).await;
    program.exits(1);
    let (program, waited) = world.next_run("web", &program).await;
    assert!(about(waited, 100), "{waited:?}");
    // A start by hand counts anew, too.
    world.containers.restart("web", None, "").await.unwrap();
    assert!(program.exited().is_some());
    assert_eq!(world.containers.inspect("web", false).await.unwrap().restart_count, 0);
}

#[tokio::test(start_paused = true)]
async fn failures_are_restarted_so_often_and_successes_never() {
    let world = World::new().await;
    let (_, program) = world.started("web", restarting(RestartPolicyKind::OnFailure, 2)).await;
    program.exits(3);
    let (program, _) = world.next_run("web", &program).await;
    program.exits(3);
    let (program, _) = world.next_run("web", &program).await;
    program.exits(3);
    let ended = world.comes("web", |view| view.program.is_none() && !view.is_restarting()).await;
    assert_eq!((ended.record.restart_count, ended.record.state.exit_code), (2, 3));
    let (_, program) = world.started("once", restarting(RestartPolicyKind::OnFailure, 0)).await;
    program.exits(0);
    let ended = world.comes("once", |view| view.program.is_none()).await;
    assert!(!ended.is_restarting());
}

#[tokio::test(start_paused = true)]
async fn who_stops_or_kills_wins_over_the_policy() {
    let world = World::new().await;
    for (name, end) in [("stopped", "stop"), ("killed", "KILL"), ("hung-up", "HUP")] {
        let (_, program) = world.started(name, restarting(RestartPolicyKind::Always, 0)).await;
        match end {
            "stop" => assert!(!world.containers.stop(name, None, "").await.unwrap()),
            signal => world.containers.kill(name, signal).await.unwrap(),
        }
        if end == "HUP" {
            program.exits(129);
        }
        let ended = world.comes(name, |view| view.program.is_none()).await;
        assert!(!ended.is_restarting(), "{name}");
    }
    // With a stop signal of its own, another signal is none to end it.
    let spec = ContainerSpec { stop_signal: "QUIT".into(), ..restarting(RestartPolicyKind::Always, 0) };
    let (_, program) = world.started("reloads", spec).await;
    world.containers.kill("reloads", "HUP").await.unwrap();
    program.exits(0);
    world.next_run("reloads", &program).await;
}

#[tokio::test(start_paused = true)]
async fn what_restarts_in_a_moment_counts_as_running() {
    let world = World::new().await;
    let (id, program) = world.started("web", restarting(RestartPolicyKind::Always, 0)).await;
    // Delays of seconds, to act within them.
    let mut program = program;
    for _ in 0..7 {
        program.exits(1);
        program = world.next_run("web", &program).await.0;
    }
    program.exits(1);
    world.comes("web", |view| view.is_restarting()).await;
    assert!(world.containers.start("web").await.unwrap(), "it runs, in a way");
    let error = world.containers.pause("web").await.unwrap_err();
    let words = format!("Container {id} is restarting, wait until the container is running");
    assert_eq!((error.kind(), text(&error)), (Kind::Conflict, words));
    let error = world.containers.remove("web", false, false).await.unwrap_err();
    assert_eq!(
        text(&error),
        "cannot remove container \"web\": container is restarting: stop the container before removing or force remove"
    );
    let wanted = super::super::attach::Wanted { stdout: true, stream: true, ..Default::default() };
    let error = world.containers.attach("web", wanted).err().unwrap();
    assert_eq!(text(&error), "container web is restarting, wait until the container is running");
    let filters = |status: &str| [("status".to_owned(), StringList { values: vec![status.to_owned()] })].into();
    for (status, found) in [("restarting", 1), ("exited", 0), ("running", 0)] {
        let wanted = list::Wanted { filters: filters(status), ..Default::default() };
        assert_eq!(world.containers.list(wanted).await.unwrap().len(), found, "{status}");
    }
    assert_eq!(world.containers.list(list::Wanted::default()).await.unwrap().len(), 1, "ps shows it");
    let ended = world.containers.wait("web", WaitCondition::NotRunning).await.unwrap();
    assert!(!world.containers.stop("web", None, "").await.unwrap(), "there was something to stop");
    assert_eq!(ended.await.unwrap().exit_code, 1);
    assert!(world.containers.stop("web", None, "").await.unwrap());
    sleep(Duration::from_secs(100)).await;
    assert_eq!(world.status("web").await, ContainerStatus::Exited, "it stays so");
    world.containers.remove("web", false, false).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_fails_is_not_tried_again() {
    let world = World::new().await;
    let (_, program) = world.started("web", restarting(RestartPolicyKind::Always, 0)).await;
    *world.launcher.refusal.lock().unwrap() = Some(LaunchError::Vanished);
    program.exits(1);
    let ended = world.comes("web", |view| !view.record.state.error.is_empty()).await;
    assert!(!ended.is_active());
    assert_eq!(ended.record.state.exit_code, 128);
}

#[tokio::test]
async fn a_pause_freezes_and_is_refused_in_dockerds_words() {
    let world = World::new().await;
    let (id, program) = world.started("web", spec()).await;
    let error = world.containers.unpause("web").await.unwrap_err();
    assert_eq!((error.kind(), text(&error)), (Kind::Internal, format!("Container {id} is not paused")));
    world.containers.pause("web").await.unwrap();
    assert!(program.is_frozen());
    let state = world.state("web").await;
    assert_eq!((state.status(), state.pid), (ContainerStatus::Paused, program.pid()));
    let execs = crate::execs::Execs::new(world.containers.clone());
    let exec = v1::ExecSpec { args: vec!["x".into()], ..Default::default() };
    let attach = super::super::attach::Wanted { stdout: true, stream: true, ..Default::default() };
    for (error, words) in [
        (world.containers.pause("web").await.unwrap_err(), format!("Container {id} is already paused")),
        (
            world.containers.start("web").await.unwrap_err(),
            "cannot start a paused container, try unpause instead".into(),
        ),
        (
            world.containers.remove("web", false, false).await.unwrap_err(),
            "cannot remove container \"web\": container is paused and must be unpaused first".into(),
        ),
        (
            world.containers.attach("web", attach).err().unwrap(),
            "container web is paused, unpause the container before attach".into(),
        ),
    ] {
        assert_eq!((error.kind(), text(&error)), (Kind::Conflict, words));
    }
    let error = execs.create("web", exec).unwrap_err();
    assert_eq!(error.to_string(), "Container web is paused, unpause the container before exec");
    world.containers.unpause("web").await.unwrap();
    assert!(!program.is_frozen());
    assert_eq!(world.status("web").await, ContainerStatus::Running);
    program.exits(0);
    world.exit_code("web").await;
    let error = world.containers.pause("web").await.unwrap_err();
    assert_eq!((error.kind(), text(&error)), (Kind::Conflict, format!("container {id} is not running")));
}

#[tokio::test]
async fn a_signal_that_is_to_end_a_paused_container_thaws_it() {
    let world = World::new().await;
    let (_, program) = world.started("web", spec()).await;
    world.containers.pause("web").await.unwrap();
    world.containers.stop("web", None, "").await.unwrap();
    assert_eq!((program.is_frozen(), program.exited().unwrap().code), (false, 143));
    let (_, program) = world.started("other", ContainerSpec { stop_signal: "QUIT".into(), ..spec() }).await;
    world.containers.pause("other").await.unwrap();
    world.containers.kill("other", "HUP").await.unwrap();
    assert!(program.is_frozen(), "that was not to end it");
    world.containers.remove("other", true, false).await.unwrap();
}

#[tokio::test]
async fn an_update_reaches_the_kernel_and_the_record_or_neither() {
    let world = World::new().await;
    let (id, program) = world.started("web", spec()).await;
    let asked = Resources { cpu_shares: 512, pids_limit: -1, ..Resources::default() };
    let policy = RestartPolicy { kind: RestartPolicyKind::Always.into(), maximum_retry_count: 0 };
    world.containers.update("web", asked, Some(policy)).await.unwrap();
    let change = program.changes.lock().unwrap().pop().unwrap();
    assert_eq!((change.resources.cpu_shares, change.any_pids, change.any_swap), (Some(512), true, false));
    let seen = world.containers.inspect("web", false).await.unwrap().spec.unwrap();
    assert_eq!((seen.resources.unwrap().cpu_shares, seen.restart_policy), (512, Some(policy)));
    program.refuses_limits.store(true, Ordering::SeqCst);
    let asked = Resources { cpu_shares: 256, ..Resources::default() };
    let error = world.containers.update("web", asked.clone(), None).await.unwrap_err();
    let words = format!("Cannot update container {id}: a limit cannot be changed: device or resource busy");
    assert_eq!((error.kind(), text(&error)), (Kind::Internal, words));
    let seen = world.containers.inspect("web", false).await.unwrap().spec.unwrap();
    assert_eq!(seen.resources.unwrap().cpu_shares, 512);
    // What does not run gets it with its next start.
    world.containers.stop("web", None, "").await.unwrap();
    world.containers.update("web", asked, None).await.unwrap();
    let error =
        world.containers.update("web", Resources { memory_bytes: 1, ..Default::default() }, None).await.unwrap_err();
    assert_eq!((error.kind(), text(&error)), (Kind::Invalid, "Minimum memory limit allowed is 6MB".to_owned()));
}

#[tokio::test]
async fn what_goes_at_its_end_cannot_be_restarted() {
    let world = World::new().await;
    let policy = RestartPolicy { kind: RestartPolicyKind::Always.into(), maximum_retry_count: 0 };
    let (id, _) = world.started("web", ContainerSpec { auto_remove: true, ..spec() }).await;
    let error = world.containers.update("web", Resources::default(), Some(policy)).await.unwrap_err();
    let words = format!(
        "Cannot update container {id}: Restart policy cannot be updated because AutoRemove is enabled for the container"
    );
    assert_eq!((error.kind(), text(&error)), (Kind::Conflict, words));
    let both = ContainerSpec { auto_remove: true, restart_policy: Some(policy), ..spec() };
    let error = world.containers.create("", both).await.unwrap_err();
    assert_eq!(text(&error), "can't create 'AutoRemove' container with restart policy");
    let error = world.containers.create("", restarting(RestartPolicyKind::Always, 3)).await.unwrap_err();
    assert_eq!(text(&error), "invalid restart policy: maximum retry count can only be used with 'on-failure'");
}

#[tokio::test]
async fn a_prune_removes_what_does_not_run_and_matches() {
    let world = World::new().await;
    world.started("runs", spec()).await;
    let labelled = |label: &str| ContainerSpec { labels: [(label.to_owned(), "1".to_owned())].into(), ..spec() };
    let keep = world.containers.create("keep", labelled("keep")).await.unwrap();
    let gone = world.containers.create("gone", labelled("gone")).await.unwrap();
    let filters = |key: &str, value: &str| [(key.to_owned(), StringList { values: vec![value.to_owned()] })].into();
    assert_eq!(world.containers.prune(filters("until", "1h")).await.unwrap().ids, Vec::<String>::new());
    assert_eq!(world.containers.prune(filters("label!", "keep=1")).await.unwrap().ids, [gone]);
    assert_eq!(world.containers.prune(filters("label", "keep")).await.unwrap().ids, [keep]);
    assert_eq!(text(&world.containers.prune(filters("foo", "x")).await.unwrap_err()), "invalid filter 'foo'");
    assert_eq!(world.containers.all().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn checks_make_a_verdict_that_everybody_sees() {
    let world = World::new().await;
    let rules = Healthcheck { interval_nanos: 5 * SECOND, retries: 2, ..Healthcheck::default() };
    let begin = Instant::now();
    world.started("web", checked(rules)).await;
    let verdict = |view: &Arc<View>| view.health.as_ref().unwrap().status();
    assert_eq!(verdict(&world.containers.find("web").unwrap().now()), HealthStatus::Starting);
    for (exit_code, streak, status) in
        [(1, 1, HealthStatus::Starting), (1, 2, HealthStatus::Unhealthy), (0, 0, HealthStatus::Healthy)]
    {
        let check = world.check("web").await;
        assert_eq!(world.launcher.last_launch().args, ["/bin/sh", "-c", "check"]);
        check.says("hello");
        check.exits(exit_code);
        let seen = world
            .comes("web", |view| {
                view.health.as_ref().is_some_and(|health| health.status() == status && health.failing_streak == streak)
            })
            .await;
        let last = seen.health.as_ref().unwrap().log.last().unwrap().clone();
        assert_eq!((last.exit_code, last.output.as_slice()), (exit_code, b"hello".as_slice()));
    }
    let waited = begin.elapsed();
    assert!(waited >= Duration::from_secs(15) && waited < Duration::from_secs(16), "{waited:?}");
    let filters = |value: &str| [("health".to_owned(), StringList { values: vec![value.to_owned()] })].into();
    for (value, found) in [("healthy", 1), ("starting", 0), ("none", 0)] {
        let wanted = list::Wanted { filters: filters(value), ..Default::default() };
        assert_eq!(world.containers.list(wanted).await.unwrap().len(), found, "{value}");
    }
    let told = world.actions().await;
    let verdicts: Vec<_> = told.iter().filter(|action| action.starts_with("health_status")).collect();
    assert_eq!(verdicts, ["health_status: unhealthy", "health_status: healthy"]);
    // Not checked any more is unhealthy, and nobody is told.
    world.containers.pause("web").await.unwrap();
    assert_eq!(verdict(&world.containers.find("web").unwrap().now()), HealthStatus::Unhealthy);
    world.containers.unpause("web").await.unwrap();
    world.check("web").await.exits(0);
    world.comes("web", |view| verdict(view) == HealthStatus::Healthy).await;
    world.containers.stop("web", None, "").await.unwrap();
    let state = world.state("web").await.health.unwrap();
    assert_eq!((state.status(), state.log.len()), (HealthStatus::Unhealthy, 4));
}

#[tokio::test(start_paused = true)]
async fn a_check_that_takes_too_long_is_killed() {
    let world = World::new().await;
    let rules = Healthcheck { interval_nanos: SECOND, timeout_nanos: 1_500_000_000, retries: 1, ..Default::default() };
    world.started("web", checked(rules)).await;
    let check = world.check("web").await;
    check.says("before\n");
    let seen = world.comes("web", |view| view.verdict() == HealthStatus::Unhealthy).await;
    assert_eq!(check.exited().unwrap().code, 137);
    let last = seen.health.as_ref().unwrap().log[0].clone();
    assert_eq!(
        (last.exit_code, last.output.as_slice()),
        (-1, b"Health check exceeded timeout (1.5s): before\n".as_slice())
    );
}

#[tokio::test(start_paused = true)]
async fn a_check_that_cannot_be_run_is_a_failure_with_its_reason() {
    let world = World::new().await;
    let rules = Healthcheck { interval_nanos: SECOND, retries: 1, ..Default::default() };
    world.started("web", checked(rules)).await;
    *world.launcher.refusal.lock().unwrap() =
        Some(LaunchError::Process(LaunchFailure::NotFound { program: "nosuch".into() }));
    let seen = world.comes("web", |view| view.verdict() == HealthStatus::Unhealthy).await;
    let last = seen.health.as_ref().unwrap().log[0].clone();
    assert_eq!(last.exit_code, -1);
    assert_eq!(
        String::from_utf8(last.output).unwrap(),
        "OCI runtime exec failed: exec failed: unable to start container process: exec: \"nosuch\": executable file not found in $PATH"
    );
}

#[tokio::test(start_paused = true)]
async fn where_nothing_checks_there_is_no_verdict() {
    let world = World::new().await;
    let none = Healthcheck { test: vec!["NONE".into()], ..Healthcheck::default() };
    for healthcheck in [None, Some(none), Some(Healthcheck { interval_nanos: SECOND, ..Healthcheck::default() })] {
        let (id, _) = world.started("", ContainerSpec { healthcheck, ..spec() }).await;
        sleep(Duration::from_secs(100)).await;
        let state = world.state(&id).await;
        assert_eq!(state.health, None);
    }
}
