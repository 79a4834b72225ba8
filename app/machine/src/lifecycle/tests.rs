//! The state machine over the fake hypervisor, in paused time.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::*;
use crate::{
    FailureKind, GuestError, Phase, State,
    fake::{Fake, Script},
    guest,
    hypervisor::{BoxFuture, Check, Exit, HypervisorError, Verdict, Vm},
};

/// An agent as the tests need it.
#[derive(Default)]
struct Agent {
    fake: Arc<Fake>,
    /// Never answers its health check.
    deaf: AtomicBool,
    /// Does not know how to power off.
    refuses: AtomicBool,
    /// Agrees to power off and does not.
    stubborn: AtomicBool,
    graces: Mutex<Vec<Duration>>,
    secrets: AtomicUsize,
    restored: Mutex<Vec<Vec<u8>>>,
}

impl Guest for Agent {
    fn new_secret(&self) -> Result<Vec<u8>, GuestError> {
        let number = self.secrets.fetch_add(1, Ordering::SeqCst);
        Ok(format!("secret {number}").into_bytes())
    }

    fn restore_secret(&self, secret: &[u8]) -> Result<(), GuestError> {
        self.restored.lock().unwrap().push(secret.to_owned());
        Ok(())
    }

    fn ready(&self, _: Arc<dyn Vm>) -> BoxFuture<'_, Result<(), GuestError>> {
        Box::pin(async {
            if self.deaf.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            Ok(())
        })
    }

    fn power_off(&self, _: Arc<dyn Vm>, grace: Duration) -> BoxFuture<'_, Result<(), GuestError>> {
        Box::pin(async move {
            self.graces.lock().unwrap().push(grace);
            if self.refuses.load(Ordering::SeqCst) {
                return Err(GuestError("no agent".to_owned()));
            }
            if !self.stubborn.load(Ordering::SeqCst) {
                self.fake.vm().unwrap().end(Exit::PowerOff);
            }
            Ok(())
        })
    }
}

struct Case {
    fake: Arc<Fake>,
    agent: Arc<Agent>,
    machine: Machine,
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        Self::with(Script::default())
    }

    fn with(script: Script) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for image in ["kernel", "initramfs"] {
            std::fs::write(folder.path().join(image), image).unwrap();
        }
        let fake = Fake::new();
        fake.script(script);
        let agent = Arc::new(Agent { fake: fake.clone(), ..Agent::default() });
        let machine = Machine::new(config(folder.path()), fake.clone(), agent.clone());
        Self { fake, agent, machine, folder }
    }

    /// Another daemon, over what the first left.
    fn next_daemon(&self) -> Machine {
        Machine::new(config(self.folder.path()), self.fake.clone(), self.agent.clone())
    }

    fn state(&self) -> State {
        self.machine.status().borrow().state.clone()
    }

    async fn until(&self, wanted: impl Fn(&State) -> bool) {
        self.machine.status().wait_for(|status| wanted(&status.state)).await.unwrap();
    }

    async fn failure(&self) -> Failure {
        match self.machine.start().await {
            Err(StartError::Failed(failure)) => {
                assert_eq!(self.state(), State::Failed(failure.clone()));
                assert!(!failure.fix.is_empty());
                failure
            }
            other => panic!("{other:?}"),
        }
    }
}

fn config(folder: &std::path::Path) -> MachineConfig {
    MachineConfig {
        runtime_dir: folder.join("run"),
        kernel: folder.join("kernel"),
        initramfs: folder.join("initramfs"),
        kernel_arguments: Vec::new(),
        data_disk: folder.join("data.raw"),
        console_log: folder.join("console.log"),
        settings: folder.join("settings.json"),
        host: HostResources { cpus: 4, memory_bytes: 8 << 30 },
        secret_guest_path: "/cove/boot-secret".to_owned(),
        settings_guest_path: "/cove/boot-settings".to_owned(),
        deadlines: Deadlines::default(),
    }
}

fn console(lines: &[(u64, &str)]) -> Script {
    let console = lines.iter().map(|(pause, line)| (Duration::from_secs(*pause), (*line).to_owned())).collect();
    Script { console, ..Script::default() }
}

const INIT: &str = "cove-guest: init";

#[tokio::test(start_paused = true)]
async fn a_start_goes_through_every_phase_and_a_stop_back() {
    let case = Case::new();
    let mut status = case.machine.status();
    let seen = tokio::spawn(async move {
        let mut seen = vec![status.borrow_and_update().clone()];
        while status.changed().await.is_ok() {
            seen.push(status.borrow_and_update().clone());
            if seen.len() > 2 && seen.last().is_some_and(|status| status.state == State::Stopped) {
                break;
            }
        }
        seen
    });
    let started = case.machine.start().await.unwrap();
    assert!(!started.already_running && started.status.platform.is_some());
    assert!(case.machine.start().await.unwrap().already_running);
    let stopped = case.machine.stop(StopOptions::default()).await.unwrap();
    assert_eq!((stopped.already_stopped, stopped.status.last_exit), (false, Some(Exit::PowerOff)));
    assert!(case.machine.stop(StopOptions::default()).await.unwrap().already_stopped);
    assert_eq!(*case.agent.graces.lock().unwrap(), [Duration::from_secs(10)]);

    let seen = seen.await.unwrap();
    assert!(seen.windows(2).all(|pair| pair[0].revision < pair[1].revision));
    // A watcher sees the newest state; those that it must not miss are those that last.
    let states: Vec<_> = seen.into_iter().map(|status| status.state).collect();
    assert_eq!(states.first(), Some(&State::Stopped));
    assert!(states.contains(&State::Starting(Phase::Prepare)));
    assert!(states.contains(&State::Starting(Phase::Agent)) || states.contains(&State::Starting(Phase::Kernel)));
    assert!(states.contains(&State::Running));
    assert_eq!(states.last(), Some(&State::Stopped));
}

#[tokio::test(start_paused = true)]
async fn the_secret_lives_as_long_as_the_boot_and_the_initramfs_until_the_kernel_has_it() {
    let case = Case::new();
    case.machine.start().await.unwrap();
    let run = case.folder.path().join("run");
    assert_eq!(std::fs::read(run.join("boot-secret")).unwrap(), b"secret 0");
    assert!(!run.join("initramfs.cpio").exists());
    assert_eq!(std::fs::metadata(case.folder.path().join("data.raw")).unwrap().len(), 64 << 30);
    case.machine.stop(StopOptions::default()).await.unwrap();
    assert!(!run.join("boot-secret").exists());
}

#[tokio::test(start_paused = true)]
async fn starts_at_the_same_time_share_one_start() {
    let case = Case::with(Script { start_takes: Duration::from_secs(1), ..Script::default() });
    let (a, b, c) = tokio::join!(case.machine.start(), case.machine.start(), case.machine.start());
    for started in [a, b, c] {
        assert!(!started.unwrap().already_running);
    }
    assert_eq!(case.fake.starts(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_monitor_that_does_not_come_up_misses_its_deadline_and_is_ended_before_the_next_start() {
    let case = Case::with(Script { start_takes: Duration::from_secs(100), ..Script::default() });
    let begin = Instant::now();
    let failure = case.failure().await;
    assert_eq!((failure.phase, &failure.kind), (Some(Phase::Vmm), &FailureKind::Deadline));
    assert_eq!(begin.elapsed(), Deadlines::default().vmm);
    case.fake.script(Script::default());
    case.machine.start().await.unwrap();
    assert_eq!((begin.elapsed().as_secs(), case.fake.starts()), (100, 2));
}

#[tokio::test(start_paused = true)]
async fn a_kernel_that_hangs_misses_its_deadline_and_is_ended() {
    let case = Case::with(console(&[(0, "[    0.1] Linux version")]));
    let begin = Instant::now();
    let failure = case.failure().await;
    assert_eq!((failure.phase, &failure.kind), (Some(Phase::Kernel), &FailureKind::Deadline));
    assert_eq!(begin.elapsed().as_secs(), Deadlines::default().kernel.as_secs());
    assert!(failure.console_tail.contains("Linux version"));
    assert_eq!(case.machine.status().borrow().last_exit, Some(Exit::Forced));
    assert!(matches!(case.machine.connect(1).await, Err(ConnectError::NotRunning)));
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_does_not_answer_misses_its_deadline() {
    let case = Case::new();
    case.agent.deaf.store(true, Ordering::SeqCst);
    let failure = case.failure().await;
    assert_eq!((failure.phase, &failure.kind), (Some(Phase::Agent), &FailureKind::Deadline));
    assert!(
        failure
            .to_string()
            .starts_with("the machine did not start (phase agent)\nthe agent did not answer within 240 s")
    );
}

#[tokio::test(start_paused = true)]
async fn what_pid_1_says_fatal_fails_at_once_in_either_phase() {
    for lines in [
        &[(1, "[ 0.5] half a line cove-guest: fatal: no data disk")][..],
        &[(1, INIT), (1, "cove-guest: fatal: no data disk")][..],
    ] {
        let case = Case::with(console(lines));
        let begin = Instant::now();
        let failure = case.failure().await;
        assert_eq!(failure.kind, FailureKind::Guest);
        assert_eq!(failure.cause, "the guest cannot go on: no data disk");
        assert!(begin.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_ends_in_a_phase_fails_with_that_phase() {
    for (lines, phase) in [
        (&[(1, "[ 0.5] Kernel panic")][..], Phase::Kernel),
        (&[(1, INIT), (1, "[ 2.0] Kernel panic")][..], Phase::Agent),
    ] {
        let case = Case::with(Script { then_ends: Some(Exit::Panic), ..console(lines) });
        let failure = case.failure().await;
        assert_eq!((failure.phase, &failure.kind), (Some(phase), &FailureKind::Ended(Exit::Panic)));
        assert!(failure.console_tail.contains("Kernel panic"));
        assert_eq!(case.machine.status().borrow().last_exit, Some(Exit::Panic));
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_crashes_while_it_runs_has_failed_and_starts_again() {
    let case = Case::new();
    case.machine.start().await.unwrap();
    case.fake.vm().unwrap().say("[ 9.9] Oops").unwrap();
    case.fake.vm().unwrap().end(Exit::VmmDied("QEMU was ended by signal 9".to_owned()));
    case.until(|state| matches!(state, State::Failed(_))).await;
    let State::Failed(failure) = case.state() else { panic!() };
    assert_eq!(failure.phase, None);
    assert!(failure.to_string().starts_with("the machine ended unexpectedly\nits monitor died: QEMU was ended"));
    assert!(failure.console_tail.contains("Oops"));
    assert!(!case.machine.start().await.unwrap().already_running);
    assert_eq!(case.agent.secrets.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_powers_off_by_itself_is_stopped() {
    let case = Case::new();
    case.machine.start().await.unwrap();
    case.fake.vm().unwrap().end(Exit::PowerOff);
    case.until(|state| *state == State::Stopped).await;
    assert_eq!(case.machine.status().borrow().last_exit, Some(Exit::PowerOff));
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_does_not_power_off_is_ended_after_its_grace() {
    let case = Case::new();
    case.machine.start().await.unwrap();
    case.agent.stubborn.store(true, Ordering::SeqCst);
    let begin = Instant::now();
    let options = StopOptions { grace: Some(Duration::from_secs(5)), force: false };
    let stopped = case.machine.stop(options).await.unwrap();
    assert_eq!((begin.elapsed().as_secs(), stopped.status.last_exit), (35, Some(Exit::Forced)));
    assert_eq!(*case.agent.graces.lock().unwrap(), [Duration::from_secs(5)]);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_cannot_be_asked_costs_no_grace() {
    let case = Case::new();
    case.machine.start().await.unwrap();
    case.agent.refuses.store(true, Ordering::SeqCst);
    let begin = Instant::now();
    case.machine.stop(StopOptions::default()).await.unwrap();
    assert_eq!(begin.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn force_asks_nobody_and_hurries_a_stop_that_is_under_way() {
    let case = Case::new();
    case.machine.start().await.unwrap();
    case.agent.stubborn.store(true, Ordering::SeqCst);
    let begin = Instant::now();
    let in_order = tokio::spawn({
        let machine = case.machine.clone();
        async move { machine.stop(StopOptions::default()).await }
    });
    case.until(|state| *state == State::Stopping).await;
    let forced = case.machine.stop(StopOptions { grace: None, force: true }).await.unwrap();
    assert_eq!(forced.status.last_exit, Some(Exit::Forced));
    assert_eq!(in_order.await.unwrap().unwrap().status.last_exit, Some(Exit::Forced));
    assert!(begin.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_start_while_it_stops_waits_and_starts_it_again() {
    let case = Case::new();
    case.machine.start().await.unwrap();
    case.agent.stubborn.store(true, Ordering::SeqCst);
    let stopping = tokio::spawn({
        let machine = case.machine.clone();
        async move { machine.stop(StopOptions::default()).await }
    });
    case.until(|state| *state == State::Stopping).await;
    let started = case.machine.start().await.unwrap();
    assert!(!started.already_running);
    stopping.await.unwrap().unwrap();
    assert_eq!((case.fake.starts(), case.state()), (2, State::Running));
}

#[tokio::test(start_paused = true)]
async fn a_stop_gives_up_a_start_in_any_phase() {
    for script in [
        Script { start_takes: Duration::from_secs(5), ..Script::default() },
        console(&[(30, INIT)]),
        console(&[(0, INIT), (30, guest::AGENT_READY)]),
    ] {
        let case = Case::with(script);
        let starting = tokio::spawn({
            let machine = case.machine.clone();
            async move { machine.start().await }
        });
        case.until(|state| matches!(state, State::Starting(_))).await;
        sleep(Duration::from_secs(1)).await;
        let begin = Instant::now();
        let stopped = case.machine.stop(StopOptions::default()).await.unwrap();
        assert_eq!(stopped.status.last_exit, Some(Exit::Forced));
        assert!(begin.elapsed() < Duration::from_secs(5));
        assert!(matches!(starting.await.unwrap(), Err(StartError::Stopped)));
        assert_eq!(case.state(), State::Stopped);
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_does_not_end_by_force_is_an_error_and_holds_up_the_next_start() {
    let case = Case::with(Script { killable: false, ..Script::default() });
    case.machine.start().await.unwrap();
    let error = case.machine.stop(StopOptions { grace: None, force: true }).await.unwrap_err();
    assert_eq!(error.to_string(), "the machine does not end, even by force, within 20 s");
    assert!(matches!(case.state(), State::Failed(_)));
    let failure = case.failure().await;
    assert_eq!((failure.phase, failure.kind), (Some(Phase::Prepare), FailureKind::Deadline));
    case.fake.vm().unwrap().end(Exit::Forced);
    case.machine.start().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_the_host_lacks_is_said_before_anything_is_made() {
    let check = |verdict, finding: &str, fix: &str| Check {
        name: "x".to_owned(),
        verdict,
        finding: finding.to_owned(),
        fix: fix.to_owned(),
    };
    let checks = vec![check(Verdict::Warning, "slow", "wait"), check(Verdict::Problem, "no QEMU", "install it")];
    let case = Case::with(Script { checks, ..Script::default() });
    let failure = case.failure().await;
    assert!(matches!(&failure.kind, FailureKind::Host(problems) if problems.len() == 1));
    assert_eq!((failure.cause.as_str(), failure.fix.as_str()), ("no QEMU", "install it"));
    assert!(!case.folder.path().join("run").exists());
}

#[tokio::test(start_paused = true)]
async fn settings_and_image_that_cannot_be_used_are_named() {
    let case = Case::new();
    std::fs::write(case.folder.path().join("settings.json"), r#"{"cpus": 99}"#).unwrap();
    let failure = case.failure().await;
    assert_eq!(failure.kind, FailureKind::Settings);
    assert!(failure.cause.contains("cpus is 99"));
    std::fs::remove_file(case.folder.path().join("settings.json")).unwrap();
    std::fs::remove_file(case.folder.path().join("initramfs")).unwrap();
    let failure = case.failure().await;
    assert_eq!((failure.phase, failure.kind), (Some(Phase::Prepare), FailureKind::Files));
    assert_eq!(case.fake.starts(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_hypervisor_is_the_cause() {
    let error = HypervisorError::Operation { operation: "start qemu".to_owned(), cause: "no such device".to_owned() };
    let case = Case::with(Script { start_fails: Some(error), ..Script::default() });
    let failure = case.failure().await;
    assert_eq!((failure.phase, failure.kind), (Some(Phase::Vmm), FailureKind::Monitor));
    assert_eq!(failure.cause, "start qemu: no such device");
}

#[tokio::test(start_paused = true)]
async fn warnings_of_the_platform_are_the_machines() {
    let case = Case::with(Script { warnings: vec!["no KVM".to_owned()], ..Script::default() });
    assert_eq!(case.machine.start().await.unwrap().status.warnings, ["no KVM"]);
    assert!(case.machine.stop(StopOptions::default()).await.unwrap().status.warnings.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_next_daemon_adopts_a_living_machine_with_its_secret() {
    let case = Case::new();
    case.machine.start().await.unwrap();
    let next = case.next_daemon();
    assert!(next.adopt().await.unwrap().unwrap().already_running);
    assert_eq!(*case.agent.restored.lock().unwrap(), [b"secret 0"]);
    assert!(next.start().await.unwrap().already_running);
    assert_eq!(case.fake.starts(), 1);
    next.stop(StopOptions::default()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_machine_without_its_secret_is_ended_and_one_that_has_ended_is_told() {
    let case = Case::new();
    case.machine.start().await.unwrap();
    std::fs::remove_file(case.folder.path().join("run/boot-secret")).unwrap();
    let next = case.next_daemon();
    assert!(matches!(next.adopt().await, Err(StartError::Failed(_))));
    let after = case.next_daemon();
    assert!(after.adopt().await.unwrap().is_none());
    assert_eq!(after.status().borrow().last_exit, Some(Exit::Forced));
    assert!(after.adopt().await.unwrap().is_none());
    assert!(!after.start().await.unwrap().already_running);
}

#[tokio::test(start_paused = true)]
async fn a_crash_while_no_daemon_ran_is_a_failure_of_the_next() {
    let case = Case::new();
    case.machine.start().await.unwrap();
    case.fake.vm().unwrap().end(Exit::Panic);
    let next = case.next_daemon();
    assert!(next.adopt().await.unwrap().is_none());
    assert!(matches!(&next.status().borrow().state, State::Failed(f) if f.kind == FailureKind::Ended(Exit::Panic)));
}

#[tokio::test(start_paused = true)]
async fn ports_are_dialled_while_it_runs() {
    let case = Case::new();
    let mut listener = case.fake.listen(7);
    assert!(matches!(case.machine.connect(7).await, Err(ConnectError::NotRunning)));
    case.machine.start().await.unwrap();
    case.machine.connect(7).await.unwrap();
    listener.recv().await.unwrap();
    let error = case.machine.connect(8).await.err().unwrap();
    assert!(matches!(error, ConnectError::Hypervisor(HypervisorError::NotListening(8))));
}
