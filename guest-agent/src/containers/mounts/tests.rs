//! What containers see beside their root file system, with programs and images that the test makes up.

use std::{collections::HashMap, sync::Arc};

use futures::{
    StreamExt,
    future::{BoxFuture, FutureExt},
};
use tokio::runtime::Runtime;

use cove_proto::v1::{ContainerSpec, Mount, MountKind, MountPoint, StringList};

use super::check::{MountError, clean};
use crate::{
    containers::{
        Kind, chain,
        fake::{IMAGE, World},
        list,
    },
    events::{Filter, Span},
    processes::launch::MountSource,
};

fn mount(kind: MountKind, source: &str, target: &str) -> Mount {
    Mount { kind: kind.into(), source: source.into(), target: target.into(), ..Mount::default() }
}

fn volume(source: &str, target: &str) -> Mount {
    mount(MountKind::Volume, source, target)
}

fn with(mounts: Vec<Mount>) -> ContainerSpec {
    ContainerSpec { image: IMAGE.to_owned(), mounts, ..ContainerSpec::default() }
}

impl World {
    async fn points(&self, container: &str) -> Vec<MountPoint> {
        self.containers.inspect(container, false).await.unwrap().mounts
    }

    async fn refused(&self, spec: ContainerSpec) -> (Kind, String) {
        let error = self.containers.create("", spec).await.unwrap_err();
        (error.kind(), chain(&error))
    }

    fn volume_names(&self) -> Vec<String> {
        let all = self.volumes.list(&HashMap::new(), false).unwrap();
        all.into_iter().map(|volume| volume.record.name).collect()
    }
}

#[test]
fn paths_are_written_shortest() {
    for (path, expected) in [
        ("/a/b", "/a/b"),
        ("a//b/", "/a/b"),
        ("/a/./b/../c", "/a/c"),
        ("/../../etc", "/etc"),
        ("/a/..", "/"),
        ("", "/"),
    ] {
        assert_eq!(clean(path), expected, "{path}");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_in_dockerds_words() {
    let world = World::new().await;
    let volume_error = |why: &str| format!("invalid mount config for type \"volume\": {why}");
    for (mounts, words) in [
        (vec![volume("v1", "")], volume_error("field Target must not be empty")),
        (vec![volume("v1", "x")], volume_error("invalid mount path: 'x' mount path must be absolute")),
        (vec![volume("v1", "/x/..")], volume_error("invalid specification: destination can't be '/'")),
        (
            vec![Mount { subpath: "a".into(), ..volume("", "/x") }],
            volume_error("must not set Subpath when using anonymous volumes"),
        ),
        (
            vec![Mount { subpath: "a/../../b".into(), ..volume("v1", "/x") }],
            volume_error("subpath must be a relative path within the volume"),
        ),
        (
            vec![Mount { subpath: "/a".into(), ..volume("v1", "/x") }],
            volume_error("subpath must be a relative path within the volume"),
        ),
        (
            vec![Mount { read_only: true, ..volume("", "/x") }],
            volume_error("must not set ReadOnly mode when using anonymous volumes"),
        ),
        (vec![Mount { propagation: "up".into(), ..volume("v1", "/x") }], volume_error("invalid propagation mode: up")),
        (
            vec![mount(MountKind::Tmpfs, "x", "/x")],
            "invalid mount config for type \"tmpfs\": field Source must not be specified".to_owned(),
        ),
        (
            vec![Mount { tmpfs_options: vec!["zork".into()], ..mount(MountKind::Tmpfs, "", "/x") }],
            "invalid mount config for type \"tmpfs\": invalid tmpfs option \"zork\"".to_owned(),
        ),
        (
            vec![mount(MountKind::Image, "", "/x")],
            "invalid mount config for type \"image\": field Source must not be empty".to_owned(),
        ),
        (
            vec![mount(MountKind::Bind, "/home", "/x")],
            "invalid mount config for type \"bind\": a folder of this computer is seen by a grant, which share_id names"
                .to_owned(),
        ),
        (vec![volume("v1", "/x"), mount(MountKind::Tmpfs, "", "/x/")], "Duplicate mount point: /x/".to_owned()),
        ((0..201).map(|n| volume("v1", &format!("/{n}"))).collect(), MountError::TooMany(201).to_string()),
    ] {
        assert_eq!(world.refused(with(mounts)).await, (Kind::Invalid, words));
    }
    for (from, words) in [
        ("", "volumes-from specification cannot be an empty string"),
        ("x:rz", "invalid mode: rz"),
        ("x:nocopy", "invalid mode: nocopy"),
        ("nosuch", "No such container: nosuch"),
    ] {
        let spec = ContainerSpec { volumes_from: vec![from.to_owned()], ..with(Vec::new()) };
        assert_eq!(world.refused(spec).await, (Kind::Invalid, words.to_owned()));
    }
    assert_eq!(world.volume_names(), Vec::<String>::new());
}

#[tokio::test]
async fn a_creation_that_fails_leaves_named_volumes_only() {
    let world = World::new().await;
    let mounts = vec![volume("", "/a"), volume("named", "/b"), mount(MountKind::Image, "nosuch", "/c")];
    let (kind, words) = world.refused(with(mounts)).await;
    assert_eq!((kind, words.as_str()), (Kind::NotFound, "No such image: nosuch:latest"));
    assert_eq!(world.volume_names(), ["named"]);
    world.volumes.remove("named", false).unwrap();
    let other = Mount { volume_driver: "nosuch".into(), ..volume("v1", "/a") };
    assert_eq!(world.refused(with(vec![other])).await.0, Kind::NotFound);
    assert!(world.images.holds.lock().unwrap().is_empty());
}

#[tokio::test]
async fn volumes_are_made_shown_and_handed_to_the_program() {
    let world = World::new().await;
    let mounts = vec![
        Mount { read_only: true, subpath: "part".into(), ..volume("v1", "/deep/er") },
        volume("", "/data/"),
        Mount { tmpfs_size_bytes: 4096, tmpfs_mode: 0o700, ..mount(MountKind::Tmpfs, "", "/memory") },
        Mount { propagation: "rshared".into(), ..volume("v2", "/deep") },
    ];
    let id = world.containers.create("web", with(mounts)).await.unwrap();
    let points = world.points("web").await;
    let targets: Vec<_> = points.iter().map(|point| point.target.as_str()).collect();
    assert_eq!(targets, ["/deep/er", "/data", "/memory", "/deep"]);
    assert_eq!((points[0].name.as_str(), points[0].read_write, points[0].driver.as_str()), ("v1", false, "local"));
    assert_eq!(points[0].source, world.volumes.mountpoint("v1").to_string_lossy());
    assert!(points[1].read_write && points[1].name.len() == 64);
    assert_eq!((points[2].kind(), points[2].name.as_str()), (MountKind::Tmpfs, ""));
    world.containers.start(&id).await.unwrap();
    let launched = world.launcher.last_container().mounts;
    let targets: Vec<_> = launched.iter().map(|mount| mount.target.as_str()).collect();
    assert_eq!(targets, ["/data", "/memory", "/deep", "/deep/er"], "what is below another comes after it");
    assert!(launched[3].read_only && !launched[3].shared && launched[2].shared);
    let MountSource::Folder { path, subpath } = &launched[3].source else { panic!("no folder") };
    assert_eq!((path, subpath.as_str()), (&world.volumes.mountpoint("v1"), "part"));
    let MountSource::Memory(memory) = &launched[1].source else { panic!("no memory") };
    assert_eq!(memory.options, [("size".into(), "4096".into()), ("mode".into(), "700".into())]);
    assert_eq!(memory.attributes, crate::rootfs::mounts::inert());
}

#[tokio::test]
async fn a_volume_is_in_use_as_long_as_its_container_is_there() {
    let world = World::new().await;
    let id = world.containers.create("web", with(vec![volume("v1", "/a"), volume("", "/b")])).await.unwrap();
    let error = world.volumes.remove("v1", true).unwrap_err();
    assert_eq!(error.to_string(), format!("remove v1: volume is in use - [{id}]"));
    let nameless = world.points("web").await[1].name.clone();
    world.containers.remove("web", false, false).await.unwrap();
    assert!(world.volumes.get(&nameless).is_ok(), "nobody asked for it to go");
    world.volumes.remove("v1", false).unwrap();
}

#[tokio::test]
async fn only_nameless_volumes_of_its_own_go_with_a_container() {
    let world = World::new().await;
    let named = world.volumes.create(crate::volumes::Wanted::default(), None).unwrap().record.name;
    world.containers.create("web", with(vec![volume("", "/a"), volume(&named, "/b")])).await.unwrap();
    let own = world.points("web").await[0].name.clone();
    let spec = ContainerSpec { volumes_from: vec!["web:ro".into()], ..with(vec![volume("other", "/b")]) };
    world.containers.create("heir", spec).await.unwrap();
    let points = world.points("heir").await;
    let seen: Vec<_> = points.iter().map(|p| (p.target.as_str(), p.name.as_str(), p.read_write)).collect();
    assert_eq!(seen, [("/b", "other", true), ("/a", own.as_str(), false)]);
    world.containers.remove("web", false, true).await.unwrap();
    assert!(world.volumes.get(&own).is_ok(), "the heir uses it");
    world.containers.remove("heir", false, true).await.unwrap();
    assert!(world.volumes.get(&own).is_err());
    assert!(world.volumes.get(&named).is_ok(), "it was mounted by its name");
    assert!(world.volumes.get("other").is_ok());
}

#[tokio::test]
async fn a_container_that_removes_itself_takes_its_nameless_volumes_along() {
    let world = World::new().await;
    let spec = ContainerSpec { auto_remove: true, anonymous_volumes: vec!["/a".into()], ..with(Vec::new()) };
    let id = world.containers.create("web", spec).await.unwrap();
    let own = world.points("web").await[0].name.clone();
    world.containers.start(&id).await.unwrap();
    let removed = world.containers.wait("web", cove_proto::v1::WaitCondition::Removed).await.unwrap();
    world.launcher.program(&id).exits(0);
    removed.await.unwrap();
    assert!(world.volumes.get(&own).is_err());
}

#[tokio::test]
async fn nameless_paths_are_volumes_unless_something_is_mounted_there() {
    let world = World::new().await;
    let paths = ["/a", "/b/", "/../../etc"].map(str::to_owned).to_vec();
    let spec = ContainerSpec { anonymous_volumes: paths, ..with(vec![mount(MountKind::Tmpfs, "", "/b")]) };
    world.containers.create("web", spec).await.unwrap();
    let points = world.points("web").await;
    let seen: Vec<_> = points.iter().map(|point| (point.kind(), point.target.as_str())).collect();
    assert_eq!(seen, [(MountKind::Tmpfs, "/b"), (MountKind::Volume, "/a"), (MountKind::Volume, "/etc")]);
}

#[tokio::test]
async fn a_new_volume_has_what_the_image_has_unless_it_is_not_wanted() {
    let world = World::new().await;
    let image = Arc::new(tempfile::tempdir().unwrap());
    std::fs::create_dir(image.path().join("data")).unwrap();
    std::fs::write(image.path().join("data/file"), "of the image").unwrap();
    std::fs::write(image.path().join("plain"), "").unwrap();
    *world.launcher.files.lock().unwrap() = Some(image);
    let mounts = vec![volume("full", "/data"), Mount { no_copy: true, ..volume("empty", "/data/") }];
    for mount in mounts {
        world.containers.create("", with(vec![mount])).await.unwrap();
    }
    let has = |name: &str| world.volumes.mountpoint(name).join("file").exists();
    assert!(has("full") && !has("empty"));
    let spec = ContainerSpec { anonymous_volumes: vec!["/plain".into()], ..with(Vec::new()) };
    let words = "cannot mount volume over existing file, file exists /plain".to_owned();
    assert_eq!(world.refused(spec).await, (Kind::Invalid, words));
    assert_eq!(world.volume_names(), ["empty", "full"]);
}

#[tokio::test]
async fn the_files_of_another_image_are_held_as_long_as_a_container_sees_them() {
    let world = World::new().await;
    let spec = with(vec![Mount { subpath: "bin".into(), ..mount(MountKind::Image, IMAGE, "/tools") }]);
    let id = world.containers.create("web", spec).await.unwrap();
    assert_eq!(*world.images.holds.lock().unwrap(), [id.clone(), format!("{id}.0")]);
    assert!(!world.points("web").await[0].read_write);
    world.containers.start("web").await.unwrap();
    let MountSource::Layers { layers, subpath } = world.launcher.last_container().mounts[0].source.clone() else {
        panic!("no layers")
    };
    assert_eq!((layers, subpath.as_str()), (vec!["/layers/1".into()], "bin"));
    world.containers.remove("web", true, false).await.unwrap();
    assert!(world.images.holds.lock().unwrap().is_empty());
}

#[test]
fn the_next_agent_knows_who_uses_what() {
    let (folder, launcher, images) = (Arc::new(tempfile::tempdir().unwrap()), Arc::default(), Arc::default());
    // All that an agent does in memory ends with its runtime.
    let agent = |life: &dyn Fn(World) -> BoxFuture<'static, String>| {
        let (folder, launcher, images) = (Arc::clone(&folder), Arc::clone(&launcher), Arc::clone(&images));
        Runtime::new()
            .unwrap()
            .block_on(async move { life(World::open(folder, launcher, images, "boot 1", HashMap::new()).await).await })
    };
    let id = agent(&|world| {
        let mounts = vec![volume("v1", "/a"), mount(MountKind::Image, IMAGE, "/tools")];
        async move { world.containers.create("web", with(mounts)).await.unwrap() }.boxed()
    });
    agent(&|world| {
        let id = id.clone();
        async move {
            let error = world.volumes.remove("v1", false).unwrap_err();
            assert_eq!(error.to_string(), format!("remove v1: volume is in use - [{id}]"));
            assert_eq!(*world.images.holds.lock().unwrap(), [id.clone(), format!("{id}.1")]);
            assert_eq!(world.points("web").await.len(), 2);
            world.containers.start("web").await.unwrap();
            id
        }
        .boxed()
    });
}

#[tokio::test]
async fn containers_are_found_by_what_they_see() {
    let world = World::new().await;
    world.containers.create("web", with(vec![volume("v1", "/a")])).await.unwrap();
    world.containers.create("db", with(vec![volume("v2", "/b")])).await.unwrap();
    for (asked, expected) in [("v1", 1), ("/b", 1), ("/c", 0), ("", 0)] {
        let filters = [("volume".to_owned(), StringList { values: vec![asked.to_owned()] })].into();
        let wanted = list::Wanted { all: true, filters, ..list::Wanted::default() };
        assert_eq!(world.containers.list(wanted).await.unwrap().len(), expected, "{asked}");
    }
}

#[tokio::test]
async fn what_happens_to_volumes_is_told_in_dockerds_words() {
    let world = World::new().await;
    let id = world.containers.create("web", with(vec![Mount { read_only: true, ..volume("v1", "/a") }])).await.unwrap();
    world.containers.start("web").await.unwrap();
    world.containers.remove("web", true, false).await.unwrap();
    world.volumes.remove("v1", false).unwrap();
    world.volumes.prune(&HashMap::new()).unwrap();
    let so_far = Span { since: Some(0), until: Some(crate::clock::now_nanos()) };
    let of_volumes = world.events.watch(so_far, Filter::default()).map(Result::unwrap);
    let of_volumes = of_volumes.filter(|event| std::future::ready(event.kind == crate::events::Kind::Volume));
    let told: Vec<_> = of_volumes
        .map(|event| {
            let attributes: Vec<_> = event.attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
            (event.action.clone(), attributes.join(" "))
        })
        .collect()
        .await;
    let expected = [
        ("create", "driver=local".to_owned()),
        ("mount", format!("container={id} destination=/a driver=local propagation= read/write=false")),
        ("unmount", format!("container={id} driver=local")),
        ("destroy", "driver=local".to_owned()),
        ("prune", "reclaimed=0".to_owned()),
    ];
    assert_eq!(told, expected.map(|(action, attributes)| (action.to_owned(), attributes)));
}
