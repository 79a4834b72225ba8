//! What is told of a container's life.

use std::sync::Arc;

use futures::StreamExt;

use super::*;
use crate::{
    events::{Event, Filter, Kind, Span},
    execs::Execs,
};

impl World {
    async fn all_told(&self) -> Vec<Arc<Event>> {
        let span = Span { since: Some(0), until: Some(crate::clock::now_nanos()) };
        self.events.watch(span, Filter::default()).map(Result::unwrap).collect().await
    }

    /// All that was told of containers so far, as `docker events` shows it, without ids and times.
    async fn told(&self) -> Vec<String> {
        self.all_told().await.iter().filter(|event| event.kind != Kind::Network).map(|event| shown(event)).collect()
    }

    /// The actions of all that was told so far.
    pub(super) async fn actions(&self) -> Vec<String> {
        self.told().await.iter().map(|line| line.split(" (").next().unwrap().to_owned()).collect()
    }
}

fn shown(event: &Event) -> String {
    let shown = |(name, value): (&String, &String)| match name.as_str() {
        "execID" => "execID".to_owned(),
        _ => format!("{name}={value}"),
    };
    let attributes: Vec<String> = event.attributes.iter().map(shown).collect();
    format!("{} ({})", event.action, attributes.join(", "))
}

#[tokio::test]
async fn a_run_is_told_in_dockerds_words() {
    let world = World::new().await;
    let labels = [("k".to_owned(), "v".to_owned())].into();
    let id = world.containers.create("web", ContainerSpec { labels, auto_remove: true, ..spec() }).await.unwrap();
    let wanted = super::super::attach::Wanted { stdout: true, stream: true, ..Default::default() };
    drop(world.containers.attach("web", wanted).unwrap());
    world.containers.start("web").await.unwrap();
    let removed = world.containers.wait("web", WaitCondition::Removed).await.unwrap();
    world.launcher.program(&id).exits(3);
    removed.await.unwrap();
    let about = "from=image, image=busybox, k=v, name=web";
    assert_eq!(
        world.told().await,
        [
            format!("create ({about})"),
            format!("attach ({about})"),
            format!("start ({about})"),
            format!("die (execDuration=0, exitCode=3, {about})"),
            format!("destroy ({about})"),
        ]
    );
    let of_network = format!("container={id}, name=bridge, type=bridge");
    let all: Vec<String> = world.all_told().await.iter().map(|event| shown(event)).collect();
    let expected =
        [format!("connect ({of_network})"), format!("start ({about})"), format!("disconnect ({of_network})")];
    assert_eq!(all[2..5], expected);
}

#[tokio::test]
async fn a_stop_a_restart_and_a_rename_are_told() {
    let world = World::new().await;
    world.launcher.stubborn.store(true, Ordering::SeqCst);
    world.started("web", spec()).await;
    world.containers.stop("web", Some(0), "").await.unwrap();
    assert!(world.containers.stop("web", Some(0), "").await.unwrap());
    world.containers.restart("web", Some(0), "").await.unwrap();
    world.containers.restart("web", Some(0), "").await.unwrap();
    world.containers.rename("web", "new").await.unwrap();
    world.containers.kill("new", "").await.unwrap();
    let stopped = ["kill", "kill", "die", "stop"];
    let mut expected = vec!["create", "start"];
    expected.extend(stopped);
    expected.extend(["start", "restart"]);
    expected.extend(stopped);
    expected.extend(["start", "restart", "rename", "kill", "die"]);
    assert_eq!(world.actions().await, expected);
    let told = world.told().await;
    assert_eq!(told[2], "kill (from=image, image=busybox, name=web, signal=15)");
    assert_eq!(told[14], "rename (from=image, image=busybox, name=new, oldName=/web)");
}

#[tokio::test]
async fn execs_are_told_and_a_start_that_fails_is_not() {
    let world = World::new().await;
    let execs = Execs::new(world.containers.clone());
    world.started("web", spec()).await;
    let args = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let exec = execs.create("web", v1::ExecSpec { args: args(&["sh", "-c", "true"]), ..Default::default() }).unwrap();
    let started = execs.start(&exec, false, None).await.unwrap();
    world.launcher.program(&exec).exits(2);
    let mut output = started.output.unwrap();
    while output.recv().await.is_some() {}
    let missing = execs.create("web", v1::ExecSpec { args: args(&["nosuch"]), ..Default::default() }).unwrap();
    *world.launcher.refusal.lock().unwrap() = Some(LaunchError::Vanished);
    execs.start(&missing, false, None).await.unwrap_err();
    world.containers.create("bad", spec()).await.unwrap();
    *world.launcher.refusal.lock().unwrap() = Some(LaunchError::Vanished);
    world.containers.start("bad").await.unwrap_err();
    let expected = [
        "create",
        "start",
        "exec_create: sh -c true",
        "exec_start: sh -c true",
        "exec_die",
        "exec_create: nosuch ",
        "exec_start: nosuch ",
        "create",
    ];
    assert_eq!(world.actions().await, expected);
    assert_eq!(world.told().await[4], "exec_die (execID, exitCode=2, from=image, image=busybox, name=web)");
}

#[tokio::test]
async fn a_kill_for_want_of_memory_is_told_before_the_end() {
    let world = World::new().await;
    let (_, program) = world.started("web", spec()).await;
    program.oom.store(true, Ordering::SeqCst);
    program.exits(137);
    world.exit_code("web").await;
    assert_eq!(world.actions().await, ["create", "start", "oom", "die"]);
}

#[tokio::test]
async fn a_kill_for_want_of_memory_is_told_when_it_happens() {
    let world = World::new().await;
    let (_, program) = world.started("web", spec()).await;
    program.oom.store(true, Ordering::SeqCst);
    program.oom_kills.send_replace(1);
    while world.actions().await.last().unwrap() != "oom" {
        tokio::task::yield_now().await;
    }
    program.exits(0);
    world.exit_code("web").await;
    assert_eq!(world.actions().await, ["create", "start", "oom", "die"], "it is not told twice");
}
