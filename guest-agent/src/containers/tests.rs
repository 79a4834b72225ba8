//! Containers as their users see them, with programs and images that the test makes up.

mod attaching;
mod lasting;
mod life;
mod listing;
mod sharing;
mod telling;

use std::sync::{Arc, atomic::Ordering};

use cove_proto::v1::{ContainerSpec, ContainerStatus, Security, StringList, WaitCondition};

use super::{
    fake::{FakeProgram, IMAGE, World},
    program::Program,
    *,
};
use crate::processes::{LaunchError, error::LaunchFailure};

fn spec() -> ContainerSpec {
    ContainerSpec { image: IMAGE.to_owned(), ..ContainerSpec::default() }
}

impl World {
    async fn started(&self, name: &str, spec: ContainerSpec) -> (String, Arc<FakeProgram>) {
        let id = self.containers.create(name, spec).await.unwrap();
        assert!(!self.containers.start(&id).await.unwrap());
        let program = self.launcher.program(&id);
        (id, program)
    }

    async fn status(&self, container: &str) -> ContainerStatus {
        self.containers.inspect(container, false).await.unwrap().state.unwrap().status()
    }

    /// Waits until a container does not run, and says its exit code.
    async fn exit_code(&self, container: &str) -> i32 {
        let waited = self.containers.wait(container, WaitCondition::NotRunning).await.unwrap();
        waited.await.unwrap().exit_code
    }
}

fn text(error: &ContainersError) -> String {
    chain(error)
}

#[tokio::test]
async fn a_container_is_created_runs_exits_and_is_removed() {
    let world = World::new().await;
    let id = world.containers.create("web", spec()).await.unwrap();
    assert_eq!(world.status("web").await, ContainerStatus::Created);
    assert!(!world.containers.start("web").await.unwrap());
    let program = world.launcher.program(&id);
    let seen = world.containers.inspect("web", false).await.unwrap();
    assert_eq!(seen.state.as_ref().unwrap().status(), ContainerStatus::Running);
    assert_eq!(seen.state.as_ref().unwrap().pid, program.pid());
    assert!(world.containers.start("web").await.unwrap(), "it runs already");
    program.exits(3);
    assert_eq!(world.exit_code("web").await, 3);
    let state = world.containers.inspect("web", false).await.unwrap().state.unwrap();
    assert_eq!((state.status(), state.pid, state.exit_code), (ContainerStatus::Exited, 0, 3));
    assert!(state.finished_at.is_some());
    world.containers.remove("web", false, false).await.unwrap();
    assert!(program.released.load(Ordering::SeqCst));
    let error = world.containers.inspect("web", false).await.unwrap_err();
    assert_eq!((error.kind(), text(&error)), (Kind::NotFound, "No such container: web".to_owned()));
    assert!(world.images.holds.lock().unwrap().is_empty());
    assert!(!world.folder.path().join("containers").join(&id).exists());
}

#[tokio::test]
async fn a_container_is_what_its_creator_and_its_image_say() {
    let world = World::new().await;
    let cmd = Some(StringList { values: vec!["echo".into(), "hi".into()] });
    let asked = ContainerSpec { cmd, env: vec!["A=1".into()], user: "1000:1000".into(), ..spec() };
    let (id, _) = world.started("", asked).await;
    let seen = world.containers.inspect(&id, false).await.unwrap();
    assert_eq!((seen.path.as_str(), seen.args.as_slice()), ("echo", ["hi".to_owned()].as_slice()));
    let merged = seen.spec.unwrap();
    assert_eq!(merged.env, ["A=1", "PATH=/bin"]);
    assert_eq!(merged.labels["from"], "image");
    assert_eq!(merged.hostname, id[..12]);
    assert!(merged.security.unwrap().masked_paths.unwrap().values.contains(&"/proc/kcore".to_owned()));
    let process = world.launcher.last_launch();
    assert_eq!(process.args, ["echo", "hi"]);
    assert_eq!(process.env, ["PATH=/bin".to_owned(), format!("HOSTNAME={}", &id[..12]), "A=1".to_owned()]);
    assert_eq!((process.user.as_str(), process.working_dir.as_str()), ("1000:1000", "/"));
    let files = seen.files.unwrap();
    assert_eq!(std::fs::read_to_string(files.hostname).unwrap(), format!("{}\n", &id[..12]));
    assert!(std::fs::read_to_string(files.hosts).unwrap().starts_with("127.0.0.1\tlocalhost\n"));
}

#[tokio::test]
async fn a_privileged_container_has_every_capability_and_no_masks() {
    let world = World::new().await;
    let security = Some(Security { privileged: true, ..Security::default() });
    let (id, _) = world.started("", ContainerSpec { security, ..spec() }).await;
    let process = world.launcher.last_launch();
    assert_eq!(process.capabilities, crate::capabilities::ALL);
    assert_eq!(process.seccomp, crate::processes::launch::Seccomp::ControlChannelOnly);
    let merged = world.containers.inspect(&id, false).await.unwrap().spec.unwrap();
    assert!(merged.security.unwrap().masked_paths.unwrap().values.is_empty());
}

#[tokio::test]
async fn a_name_in_use_is_a_conflict_in_dockers_words_and_leaves_nothing() {
    let world = World::new().await;
    let id = world.containers.create("web", spec()).await.unwrap();
    let error = world.containers.create("web", spec()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NameInUse);
    assert_eq!(
        text(&error),
        format!(
            "Conflict. The container name \"/web\" is already in use by container \"{id}\". You have to remove (or rename) that container to be able to reuse that name."
        )
    );
    let error = world.containers.create("a", spec()).await.unwrap_err();
    assert_eq!(text(&error), "Invalid container name (a), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
    world.containers.remove("web", false, false).await.unwrap();
    world.containers.create("/web", spec()).await.unwrap();
}

#[tokio::test]
async fn a_creation_that_fails_leaves_no_name_no_folder_and_no_hold() {
    let world = World::new().await;
    let error = world.containers.create("web", ContainerSpec { image: "nosuch".into(), ..spec() }).await.unwrap_err();
    assert_eq!((error.kind(), text(&error)), (Kind::NotFound, "No such image: nosuch:latest".to_owned()));
    let none = Some(StringList { values: vec![String::new()] });
    let error = world.containers.create("web", ContainerSpec { entrypoint: none, ..spec() }).await.unwrap_err();
    assert_eq!((error.kind(), text(&error)), (Kind::Invalid, "no command specified".to_owned()));
    assert!(world.images.holds.lock().unwrap().is_empty());
    assert_eq!(std::fs::read_dir(world.folder.path().join("containers")).unwrap().count(), 1, "the folder of removed");
    world.containers.create("web", spec()).await.unwrap();
}

#[tokio::test]
async fn a_container_is_found_by_id_name_and_the_beginning_of_its_id() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for _ in 0..40 {
        ids.push(world.containers.create("", spec()).await.unwrap());
    }
    let id = &ids[0];
    for asked in [id.as_str(), &id[..12], &id[..40]] {
        assert_eq!(world.containers.find(asked).unwrap().id, *id);
    }
    // Of 40 ids, two begin with the same of 16 digits.
    let digits = "0123456789abcdef";
    let shared = digits.chars().find(|digit| ids.iter().filter(|id| id.starts_with(*digit)).count() > 1).unwrap();
    let error = world.containers.find(&shared.to_string()).unwrap_err();
    assert_eq!(text(&error), format!("multiple IDs found with provided prefix: {shared}"));
    // A name comes before the beginning of an id.
    world.containers.rename(&ids[1], &id[..12]).await.unwrap();
    assert_eq!(world.containers.find(&id[..12]).unwrap().id, ids[1]);
    assert!(world.containers.find("").is_err() && world.containers.find("nosuch").is_err());
}

#[tokio::test]
async fn a_program_that_is_not_there_is_said_in_dockers_words_and_the_container_stays_created() {
    let world = World::new().await;
    let id = world.containers.create("web", spec()).await.unwrap();
    let refuse = |failure| *world.launcher.refusal.lock().unwrap() = Some(LaunchError::Process(failure));
    refuse(LaunchFailure::NotFound { program: "nosuch".into() });
    let error = world.containers.start("web").await.unwrap_err();
    let words = "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: \"nosuch\": executable file not found in $PATH: unknown";
    assert_eq!((error.kind(), text(&error).as_str()), (Kind::Invalid, words));
    let state = world.containers.inspect(&id, false).await.unwrap().state.unwrap();
    assert_eq!((state.status(), state.exit_code, state.error.as_str()), (ContainerStatus::Created, 127, words));
    refuse(LaunchFailure::UnknownUser { user: "nosuch".into() });
    let error = world.containers.start("web").await.unwrap_err();
    assert_eq!(text(&error), "unable to find user nosuch: no matching entries in passwd file");
    assert!(!world.containers.start("web").await.unwrap(), "it can be started again");
    let state = world.containers.inspect(&id, false).await.unwrap().state.unwrap();
    assert_eq!((state.status(), state.exit_code, state.error.as_str()), (ContainerStatus::Running, 0, ""));
}

#[tokio::test]
async fn stop_asks_first_and_kills_then() {
    let world = World::new().await;
    let (_, polite) = world.started("polite", spec()).await;
    assert!(!world.containers.stop("polite", None, "").await.unwrap());
    assert_eq!(*polite.signals.lock().unwrap(), [libc::SIGTERM]);
    assert_eq!(world.exit_code("polite").await, 143);
    assert!(world.containers.stop("polite", None, "").await.unwrap(), "it is stopped already");
    world.launcher.stubborn.store(true, Ordering::SeqCst);
    let (_, stubborn) = world.started("stubborn", ContainerSpec { stop_signal: "TERM".into(), ..spec() }).await;
    assert!(!world.containers.stop("stubborn", Some(0), "").await.unwrap());
    assert_eq!(*stubborn.signals.lock().unwrap(), [libc::SIGTERM, libc::SIGKILL]);
    assert_eq!(world.exit_code("stubborn").await, 137);
}

#[tokio::test]
async fn a_kill_during_a_stop_gets_through() {
    let world = World::new().await;
    world.launcher.stubborn.store(true, Ordering::SeqCst);
    let (_, program) = world.started("web", spec()).await;
    let stopping = tokio::spawn({
        let containers = world.containers.clone();
        async move { containers.stop("web", Some(-1), "HUP").await }
    });
    while program.signals.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    world.containers.kill("web", "").await.unwrap();
    assert!(!stopping.await.unwrap().unwrap());
    assert_eq!(*program.signals.lock().unwrap(), [libc::SIGHUP, libc::SIGKILL]);
}

#[tokio::test]
async fn signals_are_checked_and_need_a_run() {
    let world = World::new().await;
    let (id, program) = world.started("web", spec()).await;
    world.containers.kill("web", "USR1").await.unwrap();
    assert_eq!(*program.signals.lock().unwrap(), [libc::SIGUSR1]);
    let error = world.containers.kill("web", "nosuch").await.unwrap_err();
    assert_eq!((error.kind(), text(&error)), (Kind::Invalid, "invalid signal: nosuch".to_owned()));
    program.exits(0);
    world.exit_code("web").await;
    let error = world.containers.kill("web", "").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert_eq!(text(&error), format!("cannot kill container: web: container {id} is not running"));
    let error = world.containers.kill("nosuch", "").await.unwrap_err();
    assert_eq!(
        (error.kind(), text(&error)),
        (Kind::NotFound, "cannot kill container: nosuch: No such container: nosuch".into())
    );
}

#[tokio::test]
async fn what_runs_is_removed_only_by_force() {
    let world = World::new().await;
    let (_, program) = world.started("web", spec()).await;
    let error = world.containers.remove("web", false, false).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert_eq!(
        text(&error),
        "cannot remove container \"web\": container is running: stop the container before removing or force remove"
    );
    world.containers.remove("web", true, false).await.unwrap();
    assert_eq!(program.exited().unwrap().code, 137);
    assert!(world.containers.all().is_empty());
}

#[tokio::test]
async fn waits_are_told_what_they_wait_for() {
    let world = World::new().await;
    let id = world.containers.create("web", ContainerSpec { auto_remove: true, ..spec() }).await.unwrap();
    let wait = async |condition| world.containers.wait("web", condition).await.unwrap();
    let at_once = wait(WaitCondition::NotRunning).await.await.unwrap();
    assert_eq!(at_once.exit_code, 0, "what never ran does not run");
    let (next, removed) = (wait(WaitCondition::NextExit).await, wait(WaitCondition::Removed).await);
    world.containers.start("web").await.unwrap();
    let not_running = wait(WaitCondition::NotRunning).await;
    world.launcher.program(&id).exits(7);
    for told in [next, not_running, removed] {
        assert_eq!(told.await.unwrap(), Waited { exit_code: 7, error: String::new() });
    }
    assert!(world.containers.find("web").is_err(), "who waits for the removal finds it removed");
}

#[tokio::test]
async fn a_start_that_fails_removes_what_is_to_be_removed() {
    let world = World::new().await;
    world.containers.create("web", ContainerSpec { auto_remove: true, ..spec() }).await.unwrap();
    let removed = world.containers.wait("web", WaitCondition::Removed).await.unwrap();
    *world.launcher.refusal.lock().unwrap() = Some(LaunchError::Vanished);
    let error = world.containers.start("web").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Internal);
    let told = removed.await.unwrap();
    assert_eq!((told.exit_code, told.error), (128, String::new()));
    assert!(world.containers.find("web").is_err());
}

#[tokio::test]
async fn a_restart_is_no_reason_to_remove() {
    let world = World::new().await;
    let (id, first) = world.started("web", ContainerSpec { auto_remove: true, ..spec() }).await;
    world.containers.restart("web", None, "").await.unwrap();
    let second = world.launcher.program(&id);
    assert_eq!(first.exited().unwrap().code, 143);
    assert!(!Arc::ptr_eq(&first, &second) && second.exited().is_none());
    second.exits(0);
    let gone = world.containers.wait("web", WaitCondition::Removed).await;
    if let Ok(gone) = gone {
        gone.await.unwrap();
    }
    assert!(world.containers.find(&id).is_err());
}

#[tokio::test]
async fn a_kill_for_want_of_memory_is_remembered() {
    let world = World::new().await;
    let (_, program) = world.started("web", spec()).await;
    program.oom.store(true, Ordering::SeqCst);
    program.exits(137);
    assert_eq!(world.exit_code("web").await, 137);
    assert!(world.containers.inspect("web", false).await.unwrap().state.unwrap().oom_killed);
}

#[tokio::test]
async fn a_rename_moves_the_name() {
    let world = World::new().await;
    let id = world.containers.create("one", spec()).await.unwrap();
    world.containers.create("two", spec()).await.unwrap();
    assert_eq!(world.containers.rename("one", "two").await.unwrap_err().kind(), Kind::NameInUse);
    let same = world.containers.rename("one", "one").await.unwrap_err();
    assert_eq!(text(&same), "Renaming a container with the same name as its current name");
    assert_eq!(text(&world.containers.rename("one", "").await.unwrap_err()), "Neither old nor new names may be empty");
    world.containers.rename("one", "three").await.unwrap();
    assert_eq!(world.containers.find("three").unwrap().id, id);
    world.containers.create("one", spec()).await.unwrap();
}

#[tokio::test]
async fn a_terminal_is_resized_only_while_it_runs() {
    let world = World::new().await;
    let id = world.containers.create("web", ContainerSpec { tty: true, ..spec() }).await.unwrap();
    let error = world.containers.resize("web", 24, 80).unwrap_err();
    assert_eq!((error.kind(), text(&error)), (Kind::Conflict, format!("container {id} is not running")));
}

#[tokio::test]
async fn before_power_off_everything_is_stopped_and_nothing_starts() {
    let world = World::new().await;
    let (_, polite) = world.started("polite", spec()).await;
    world.launcher.stubborn.store(true, Ordering::SeqCst);
    let (_, stubborn) = world.started("stubborn", spec()).await;
    world.containers.create("created", spec()).await.unwrap();
    assert_eq!(world.containers.stop_all(std::time::Duration::from_millis(50)).await, 2);
    assert_eq!((polite.exited().unwrap().code, stubborn.exited().unwrap().code), (143, 137));
    assert_eq!(world.containers.start("created").await.unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(world.containers.create("more", spec()).await.unwrap_err().kind(), Kind::Unavailable);
}

#[tokio::test]
async fn a_removal_that_fails_leaves_a_dead_container_that_can_be_removed_later() {
    let world = World::new().await;
    let id = world.containers.create("web", spec()).await.unwrap();
    let removed = world.containers.wait("web", WaitCondition::Removed).await.unwrap();
    // Something of the same name is in the way.
    let in_the_way = world.folder.path().join("containers/.removed").join(&id);
    std::fs::create_dir_all(in_the_way.join("full")).unwrap();
    let error = world.containers.remove("web", false, false).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Internal);
    assert_eq!(removed.await.unwrap().error, text(&error));
    assert_eq!(world.status("web").await, ContainerStatus::Dead);
    assert_eq!(
        text(&world.containers.start("web").await.unwrap_err()),
        "container is marked for removal and cannot be started"
    );
    std::fs::remove_dir_all(&in_the_way).unwrap();
    world.containers.remove("web", false, false).await.unwrap();
    assert!(world.containers.find("web").is_err());
}
