//! `ps` and its filters.

use std::collections::HashMap;

use futures::{FutureExt, StreamExt, stream::BoxStream};

use super::*;
use crate::containers::{list::Wanted, watch::Change};

type Listed = Result<Change, ContainersError>;

fn filter(pairs: &[(&str, &str)]) -> HashMap<String, StringList> {
    let mut filters: HashMap<String, StringList> = HashMap::new();
    for (key, value) in pairs {
        filters.entry((*key).to_owned()).or_default().values.push((*value).to_owned());
    }
    filters
}

impl World {
    async fn names(&self, wanted: Wanted) -> Result<Vec<String>, ContainersError> {
        Ok(self.containers.list(wanted).await?.into_iter().map(|container| container.name).collect())
    }

    async fn matching(&self, pairs: &[(&str, &str)]) -> Vec<String> {
        self.names(Wanted { all: true, filters: filter(pairs), ..Wanted::default() }).await.unwrap()
    }
}

/// web runs, db exited with 3, idle never ran.
async fn three() -> World {
    let world = World::new().await;
    let labelled = |pairs: &[(&str, &str)]| ContainerSpec {
        labels: pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..spec()
    };
    let (_, db) = world.started("db", labelled(&[("tier", "data"), ("team", "a")])).await;
    db.exits(3);
    world.exit_code("db").await;
    world.started("web", labelled(&[("tier", "front")])).await;
    world.containers.create("idle", ContainerSpec { network_mode: "none".into(), ..spec() }).await.unwrap();
    world
}

#[tokio::test]
async fn the_newest_come_first_and_what_does_not_run_only_when_asked_for() {
    let world = three().await;
    assert_eq!(world.names(Wanted::default()).await.unwrap(), ["web"]);
    assert_eq!(world.matching(&[]).await, ["idle", "web", "db"]);
    assert_eq!(world.names(Wanted { limit: 2, ..Wanted::default() }).await.unwrap(), ["idle", "web"]);
}

#[tokio::test]
async fn filters_choose_as_dockerd_does() {
    let world = three().await;
    let db = world.containers.find("db").unwrap().id.clone();
    for (pairs, expected) in [
        (vec![("status", "created")], vec!["idle"]),
        (vec![("status", "exited"), ("status", "running")], vec!["web", "db"]),
        (vec![("exited", "3")], vec!["db"]),
        (vec![("exited", "0")], vec![]),
        (vec![("id", &db[..12])], vec!["db"]),
        (vec![("name", "e")], vec!["idle", "web"]),
        (vec![("name", "^/?(web|db)$")], vec!["web", "db"]),
        (vec![("name", "/web")], vec!["web"]),
        (vec![("label", "tier")], vec!["web", "db"]),
        (vec![("label", "tier=data")], vec!["db"]),
        (vec![("label", "tier"), ("label", "team=a")], vec!["db"]),
        (vec![("label", "tier=")], vec![]),
        (vec![("label", "from=image")], vec!["idle", "web", "db"]),
        (vec![("network", "none")], vec!["idle"]),
        (vec![("network", "bridge")], vec!["web", "db"]),
        (vec![("ancestor", IMAGE)], vec!["idle", "web", "db"]),
        (vec![("ancestor", "nosuch")], vec![]),
        (vec![("before", "web")], vec!["db"]),
        (vec![("since", "web")], vec!["idle"]),
        (vec![("health", "none")], vec!["idle", "web", "db"]),
        (vec![("health", "healthy")], vec![]),
        (vec![("is-task", "false")], vec!["idle", "web", "db"]),
        (vec![("volume", "v")], vec![]),
        (vec![("status", "running"), ("name", "db")], vec![]),
    ] {
        assert_eq!(world.matching(&pairs).await, expected, "{pairs:?}");
    }
    let status_alone = Wanted { filters: filter(&[("status", "exited")]), ..Wanted::default() };
    assert_eq!(world.names(status_alone).await.unwrap(), ["db"], "a status asks for what does not run, too");
}

#[tokio::test]
async fn filters_that_make_no_sense_are_refused() {
    let world = three().await;
    for (key, value, words, kind) in [
        ("nosuch", "x", "invalid filter 'nosuch'", Kind::Invalid),
        ("status", "x", "invalid filter 'status=x'", Kind::Invalid),
        ("exited", "x", "invalid filter 'exited=x'", Kind::Invalid),
        (
            "health",
            "x",
            "invalid filter 'health=x': invalid value for health (x): must be one of none, starting, healthy, unhealthy",
            Kind::Invalid,
        ),
        ("since", "x", "No such container: x", Kind::NotFound),
    ] {
        let error = world.names(Wanted { filters: filter(&[(key, value)]), ..Wanted::default() }).await.unwrap_err();
        assert_eq!((text(&error).as_str(), error.kind()), (words, kind));
    }
}

#[tokio::test]
async fn sizes_are_those_of_the_writable_layer_and_of_the_image() {
    let world = three().await;
    let id = world.containers.find("idle").unwrap().id.clone();
    let upper = world.folder.path().join("containers").join(id).join("upper");
    std::fs::create_dir(upper.join("sub")).unwrap();
    std::fs::write(upper.join("sub/file"), [0; 1234]).unwrap();
    std::fs::hard_link(upper.join("sub/file"), upper.join("same")).unwrap();
    let seen = world.containers.inspect("idle", true).await.unwrap();
    assert_eq!((seen.writable_bytes, seen.rootfs_bytes), (Some(1234), Some(2234)));
}

/// Reads lists until a container is in a state, and says the revision.
async fn until(lists: &mut BoxStream<'_, Listed>, id: &str, status: ContainerStatus) -> u64 {
    loop {
        let list = lists.next().await.unwrap().unwrap();
        let found = list.containers.iter().find(|container| container.id == id);
        if found.is_some_and(|container| container.state.as_ref().unwrap().status() == status) {
            return list.revision;
        }
    }
}

#[tokio::test]
async fn a_watcher_sees_the_list_at_once_and_after_each_change() {
    let world = World::new().await;
    let mut lists = world.containers.watch(true, 0).boxed();
    let first = lists.next().await.unwrap().unwrap();
    assert!(first.containers.is_empty());
    let (id, program) = world.started("web", spec()).await;
    let running = until(&mut lists, &id, ContainerStatus::Running).await;
    assert!(running > first.revision);
    program.exits(0);
    assert!(until(&mut lists, &id, ContainerStatus::Exited).await > running);
    world.containers.remove("web", false, false).await.unwrap();
    while !lists.next().await.unwrap().unwrap().containers.is_empty() {}
}

#[tokio::test]
async fn a_watcher_that_knows_the_list_waits_and_one_of_an_earlier_agent_does_not() {
    let world = World::new().await;
    let known = Box::pin(world.containers.watch(true, 0)).next().await.unwrap().unwrap().revision;
    assert!(Box::pin(world.containers.watch(true, known)).next().now_or_never().is_none());
    assert_eq!(Box::pin(world.containers.watch(true, 1000)).next().await.unwrap().unwrap().revision, known);
}
