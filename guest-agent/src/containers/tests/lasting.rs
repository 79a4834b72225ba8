//! What lasts: over the end of an agent, and of the machine.

use std::collections::HashMap;

use tokio::runtime::Runtime;

use cove_proto::v1::RestartPolicyKind;

use super::{life::restarting, *};
use crate::containers::fake::{FakeImages, FakeLauncher};

/// A data disk, and what PID 1 and the image store know, which outlive an agent.
struct Machine {
    folder: Arc<tempfile::TempDir>,
    launcher: Arc<FakeLauncher>,
    images: Arc<FakeImages>,
}

impl Machine {
    fn new() -> Self {
        Self { folder: Arc::new(tempfile::tempdir().unwrap()), launcher: Arc::default(), images: Arc::default() }
    }

    /// One life of an agent: everything that it does in memory ends with it, in whatever state it is.
    fn agent<T>(&self, boot: &str, held: &[(&str, &Arc<FakeProgram>)], life: impl AsyncFnOnce(&World) -> T) -> T {
        let runtime = Runtime::new().unwrap();
        let held: HashMap<String, Arc<dyn Program>> =
            held.iter().map(|(id, program)| ((*id).to_owned(), Arc::clone(*program) as Arc<dyn Program>)).collect();
        let (folder, launcher, images) = (self.folder.clone(), self.launcher.clone(), self.images.clone());
        runtime.block_on(async move {
            let world = World::open(folder, launcher, images, boot, held).await;
            life(&world).await
        })
    }
}

#[test]
fn containers_are_there_again_after_a_power_cut_and_what_ran_has_exited() {
    let machine = Machine::new();
    machine.agent("boot 1", &[], async |world| {
        world.started("ran", spec()).await;
        let (_, ended) = world.started("ended", spec()).await;
        ended.says("last words\n");
        ended.exits(3);
        world.exit_code("ended").await;
        world.containers.create("created", spec()).await.unwrap();
        world.started("leaves", ContainerSpec { auto_remove: true, ..spec() }).await;
    });
    machine.agent("boot 2", &[], async |world| {
        let state = async |name| world.containers.inspect(name, false).await.unwrap().state.unwrap();
        let ran = state("ran").await;
        assert_eq!((ran.status(), ran.exit_code), (ContainerStatus::Exited, 255));
        assert!(ran.started_at.is_some() && ran.finished_at.is_some());
        let ended = state("ended").await;
        assert_eq!((ended.status(), ended.exit_code), (ContainerStatus::Exited, 3));
        assert_eq!(state("created").await.status(), ContainerStatus::Created);
        assert_eq!(world.containers.find("leaves").unwrap_err().kind(), Kind::NotFound);
        assert_eq!(world.images.holds.lock().unwrap().len(), 3);
        assert!(!world.containers.start("ran").await.unwrap());
        assert_eq!(world.containers.create("ended", spec()).await.unwrap_err().kind(), Kind::NameInUse);
    });
}

#[test]
fn what_runs_goes_on_under_the_next_agent_with_its_output() {
    let machine = Machine::new();
    let (id, program) = machine.agent("boot 1", &[], async |world| {
        let (id, program) = world.started("web", spec()).await;
        program.says("under the first\n");
        while world.containers.find("web").unwrap().log.end() == 0 {
            tokio::task::yield_now().await;
        }
        (id, program)
    });
    program.says("under none\n");
    machine.agent("boot 1", &[(&id, &program)], async |world| {
        assert_eq!(world.status("web").await, ContainerStatus::Running);
        program.says("under the second\n");
        program.exits(5);
        assert_eq!(world.exit_code("web").await, 5);
        let wanted = output::Wanted { stdout: true, ..Default::default() };
        let pieces = world.containers.output("web", wanted).await.unwrap();
        let lines: Vec<String> = futures::StreamExt::collect(futures::StreamExt::map(pieces, |piece| {
            String::from_utf8(piece.unwrap().data.to_vec()).unwrap()
        }))
        .await;
        assert_eq!(lines, ["under the first\n", "under none\n", "under the second\n"]);
    });
}

#[test]
fn an_end_that_no_agent_saw_is_known_from_pid_1() {
    let machine = Machine::new();
    let (id, program) = machine.agent("boot 1", &[], async |world| world.started("web", spec()).await);
    program.exits(9);
    machine.agent("boot 1", &[(&id, &program)], async |world| {
        let waited = world.containers.wait("web", WaitCondition::NotRunning).await.unwrap().await.unwrap();
        assert_eq!(waited.exit_code, 9);
    });
    assert!(program.released.load(Ordering::SeqCst));
}

#[test]
fn a_start_that_the_agents_end_cut_off_is_taken_back() {
    let machine = Machine::new();
    let id = machine.agent("boot 1", &[], async |world| {
        let id = world.containers.create("web", spec()).await.unwrap();
        let mut record = world.containers.find(&id).unwrap().now().record.clone();
        record.state.phase = Phase::Starting { boot: "boot 1".into() };
        let database = world.containers.0.database.clone();
        database.write_blocking(|changes| record::CONTAINERS.put(changes, &id, &record)).unwrap();
        id
    });
    machine.agent("boot 1", &[], async |world| {
        let state = world.containers.inspect(&id, false).await.unwrap().state.unwrap();
        assert_eq!((state.status(), state.exit_code), (ContainerStatus::Created, 128));
        assert!(!world.containers.start(&id).await.unwrap());
    });
}

#[test]
fn a_removal_that_was_cut_off_is_finished_and_left_overs_are_swept_up() {
    let machine = Machine::new();
    let containers = machine.folder.path().join("containers");
    let (cut_off, whole) = machine.agent("boot 1", &[], async |world| {
        let cut_off = world.containers.create("cut-off", spec()).await.unwrap();
        (cut_off, world.containers.create("whole", spec()).await.unwrap())
    });
    // The folder is out of the way, the record is still there; and a creation got no further than its folder.
    std::fs::rename(containers.join(&cut_off), containers.join(".removed").join(&cut_off)).unwrap();
    std::fs::create_dir_all(containers.join("f00d").join("upper")).unwrap();
    machine.agent("boot 2", &[], async |world| {
        assert!(world.containers.find("cut-off").is_err());
        world.containers.create("cut-off", spec()).await.unwrap();
        assert!(world.containers.find(&whole).is_ok());
    });
    assert!(!containers.join("f00d").exists());
    assert_eq!(std::fs::read_dir(containers.join(".removed")).unwrap().count(), 0);
    assert!(!machine.images.holds.lock().unwrap().contains(&cut_off));
}

#[test]
fn a_folder_that_a_power_cut_took_is_made_anew() {
    let machine = Machine::new();
    let id = machine.agent("boot 1", &[], async |world| world.started("young", spec()).await.0);
    std::fs::remove_dir_all(machine.folder.path().join("containers").join(&id)).unwrap();
    machine.agent("boot 2", &[], async |world| {
        assert!(!world.containers.start("young").await.unwrap());
        world.containers.remove("young", true, false).await.unwrap();
    });
}

#[test]
fn a_program_of_no_container_is_ended() {
    let machine = Machine::new();
    let (id, program) = machine.agent("boot 1", &[], async |world| world.started("web", spec()).await);
    let stranger = Machine::new();
    stranger.agent("boot 1", &[(&id, &program)], async |_| {
        while !program.released.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(program.exited().unwrap().code, 137);
}

#[test]
fn a_boot_starts_what_is_always_to_run_and_what_was_not_stopped() {
    use RestartPolicyKind as P;
    let machine = Machine::new();
    machine.agent("boot 1", &[], async |world| {
        for (name, kind) in [
            ("always", P::Always),
            ("always-stopped", P::Always),
            ("unless", P::UnlessStopped),
            ("unless-stopped", P::UnlessStopped),
            ("failure", P::OnFailure),
            ("success", P::OnFailure),
            ("no", P::No),
        ] {
            world.started(name, restarting(kind, 0)).await;
        }
        world.containers.create("created", restarting(P::Always, 0)).await.unwrap();
        world.containers.stop("always-stopped", None, "").await.unwrap();
        world.containers.stop("unless-stopped", None, "").await.unwrap();
        world.launcher.program(&world.containers.find("success").unwrap().id).exits(0);
        world.exit_code("success").await;
        // Then the power is cut.
    });
    machine.agent("boot 2", &[], async |world| {
        for name in ["always", "always-stopped", "unless", "failure"] {
            world.comes(name, |view| view.program.is_some()).await;
        }
        for name in ["unless-stopped", "success", "no", "created"] {
            assert!(!world.containers.find(name).unwrap().now().is_active(), "{name}");
        }
    });
}

#[test]
fn another_agent_of_the_same_boot_starts_only_what_was_about_to_be() {
    let machine = Machine::new();
    let policy = restarting(RestartPolicyKind::Always, 0);
    machine.agent("boot 1", &[], async |world| {
        let (_, program) = world.started("waits", policy.clone()).await;
        world.started("stopped", policy.clone()).await;
        world.containers.stop("stopped", None, "").await.unwrap();
        program.exits(1);
        world.comes("waits", |view| view.is_restarting()).await;
    });
    machine.agent("boot 1", &[], async |world| {
        world.comes("waits", |view| view.program.is_some()).await;
        assert!(!world.containers.find("stopped").unwrap().now().is_active());
    });
}

#[test]
fn power_off_restarts_nothing_and_is_no_stop_by_hand() {
    let machine = Machine::new();
    machine.agent("boot 1", &[], async |world| {
        let (_, program) = world.started("web", restarting(RestartPolicyKind::UnlessStopped, 0)).await;
        assert_eq!(world.containers.stop_all(std::time::Duration::from_secs(1)).await, 1);
        assert_eq!(program.exited().unwrap().code, 143);
        assert!(!world.containers.find("web").unwrap().now().is_active());
    });
    machine.agent("boot 2", &[], async |world| {
        world.comes("web", |view| view.program.is_some()).await;
    });
}

#[test]
fn what_is_paused_is_so_under_the_next_agent() {
    let machine = Machine::new();
    let (id, program) = machine.agent("boot 1", &[], async |world| {
        let started = world.started("web", spec()).await;
        world.containers.pause("web").await.unwrap();
        started
    });
    machine.agent("boot 1", &[(&id, &program)], async |world| {
        assert_eq!(world.status("web").await, ContainerStatus::Paused);
        world.containers.unpause("web").await.unwrap();
        assert!(!program.is_frozen());
    });
}
