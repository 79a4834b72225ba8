//! Volumes on a disk that goes with the test.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
};

use cove_proto::v1::StringList;

use super::*;
use crate::{containers::chain, events::Events, state::Database};

struct World {
    volumes: Volumes,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("state.redb")).unwrap();
        Self { volumes: Volumes::open(folder.path(), &database, Events::default()).unwrap(), folder }
    }

    /// What the next agent finds.
    fn reopened(self) -> Self {
        let Self { volumes, folder } = self;
        drop(volumes);
        let database = Database::open(&folder.path().join("state.redb")).unwrap();
        Self { volumes: Volumes::open(folder.path(), &database, Events::default()).unwrap(), folder }
    }

    fn create(&self, name: &str, user: Option<&str>) -> VolumeInfo {
        self.volumes.create(wanted(name), user).unwrap()
    }

    fn names(&self, filters: &[(&str, &[&str])]) -> Vec<String> {
        let found = self.volumes.list(&asked(filters), false).unwrap();
        found.into_iter().map(|volume| volume.record.name).collect()
    }

    fn path(&self, below: &str) -> std::path::PathBuf {
        self.folder.path().join("volumes").join(below)
    }
}

fn wanted(name: &str) -> Wanted {
    Wanted { name: name.to_owned(), ..Wanted::default() }
}

fn asked(filters: &[(&str, &[&str])]) -> std::collections::HashMap<String, StringList> {
    let values = |values: &[&str]| StringList { values: values.iter().map(|v| (*v).to_owned()).collect() };
    filters.iter().map(|(key, all)| ((*key).to_owned(), values(all))).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn words(error: &VolumesError) -> String {
    chain(error)
}

/// What an image might have at /data, nice and nasty.
fn image() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    fs::create_dir_all(data.join("sub/deep")).unwrap();
    fs::write(data.join("sub/file"), "content").unwrap();
    fs::set_permissions(data.join("sub/file"), PermissionsExt::from_mode(0o4750)).unwrap();
    fs::set_permissions(data.join("sub"), PermissionsExt::from_mode(0o1777)).unwrap();
    fs::hard_link(data.join("sub/file"), data.join("again")).unwrap();
    symlink("/etc/passwd", data.join("absolute")).unwrap();
    symlink("../../../../etc", data.join("up")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, data.join("pipe"), rustix::fs::Mode::from_raw_mode(0o640)).unwrap();
    fs::set_permissions(&data, PermissionsExt::from_mode(0o711)).unwrap();
    root
}

fn opened(path: &Path) -> std::os::fd::OwnedFd {
    fs::File::open(path).unwrap().into()
}

#[test]
fn a_volume_is_made_once_and_lasts() {
    let world = World::new();
    let made = world.volumes.create(Wanted { labels: pairs(&[("a", "b")]), ..wanted("data") }, None).unwrap();
    assert_eq!(made.mountpoint, world.path("data/_data"));
    assert_eq!(fs::metadata(&made.mountpoint).unwrap().mode() & 0o7777, 0o755);
    fs::write(made.mountpoint.join("kept"), "x").unwrap();
    assert_eq!(world.create("data", None), made, "the same again");
    let world = world.reopened();
    assert_eq!(world.volumes.get("data").unwrap(), made);
    assert_eq!(fs::read_to_string(made.mountpoint.join("kept")).unwrap(), "x");
}

#[test]
fn a_volume_without_a_name_gets_one_and_a_label() {
    let world = World::new();
    let made = world.create("", None);
    assert!(made.is_anonymous() && made.record.name.len() == 64);
    assert_eq!(made.record.labels, pairs(&[("com.docker.volume.anonymous", "")]));
}

#[test]
fn what_cannot_be_is_said_in_dockerds_words() {
    let world = World::new();
    let create = |wanted| words(&world.volumes.create(wanted, None).unwrap_err());
    assert_eq!(
        create(wanted("a/../b")),
        "create a/../b: \"a/../b\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"
    );
    assert_eq!(
        create(wanted("a")),
        "create a: volume name is too short, names should be at least two alphanumeric characters"
    );
    assert!(create(wanted("..")).contains("includes invalid characters"));
    assert!(create(wanted(".removed")).contains("includes invalid characters"));
    assert_eq!(
        create(Wanted { driver: "nosuch".into(), ..wanted("data") }),
        "create data: error looking up volume plugin nosuch: plugin \"nosuch\" not found"
    );
    let with = |options| Wanted { options: pairs(options), ..wanted("data") };
    assert_eq!(create(with(&[("foo", "bar")])), "create data: invalid option: \"foo\"");
    assert_eq!(words(&world.volumes.get("data").unwrap_err()), "get data: no such volume");
    assert_eq!(words(&world.volumes.remove("data", false).unwrap_err()), "get data: no such volume");
    world.volumes.remove("data", true).unwrap();
    assert_eq!(world.names(&[]), Vec::<String>::new());
    let tmpfs = [("type", "tmpfs"), ("device", "tmpfs"), ("o", "size=1m")];
    world.volumes.create(with(&tmpfs), None).unwrap();
    world.volumes.create(with(&tmpfs), None).unwrap();
    world.create("data", None);
    let other = world.volumes.create(with(&[("type", "tmpfs"), ("device", "x")]), None).unwrap();
    assert_eq!(other.record.options["device"], "tmpfs", "it is the one that was there");
}

#[test]
fn a_volume_in_use_stays() {
    let world = World::new();
    world.create("data", Some("c1"));
    world.volumes.hold("data", "c2").unwrap();
    let error = world.volumes.remove("data", true).unwrap_err();
    assert_eq!((error.kind(), words(&error).as_str()), (Kind::Conflict, "remove data: volume is in use - [c1, c2]"));
    world.volumes.release("c1");
    assert!(world.volumes.remove("data", false).is_err());
    world.volumes.release("c2");
    world.volumes.remove("data", false).unwrap();
    assert!(!world.path("data").exists());
    assert_eq!(fs::read_dir(world.path(".removed")).unwrap().count(), 0);
    assert!(world.volumes.hold("data", "c1").is_err());
}

#[test]
fn a_container_that_was_not_made_takes_its_nameless_volumes_along() {
    let world = World::new();
    world.create("named", Some("c1"));
    let nameless = world.create("", Some("c1")).record.name;
    let settled = world.create("", Some("c2")).record.name;
    world.volumes.settle("c2");
    world.volumes.abandon("c1").unwrap();
    world.volumes.abandon("c2").unwrap();
    assert!(world.volumes.get(&nameless).is_err());
    assert_eq!(world.volumes.get("named").unwrap().containers, 0);
    assert!(world.volumes.get(&settled).is_ok(), "its container had been made");
}

#[test]
fn what_an_agent_left_half_done_the_next_one_finishes() {
    let world = World::new();
    world.create("removed", None);
    world.create("kept", None);
    world.create("filled", None);
    // A removal whose record is still there; a creation without a record; somebody's data without a record.
    fs::rename(world.path("removed"), world.path(".removed/x")).unwrap();
    fs::create_dir_all(world.path("begun/_data")).unwrap();
    fs::create_dir_all(world.path("bare")).unwrap();
    fs::create_dir_all(world.path("found/_data/precious")).unwrap();
    // A copy that was not complete, and one that was.
    fs::create_dir_all(world.path("kept/_fill/half")).unwrap();
    fs::create_dir_all(world.path("filled/_move/sub")).unwrap();
    fs::write(world.path("filled/_move/file"), "whole").unwrap();
    fs::write(world.path("filled/_data/file"), "quicker").unwrap();
    fs::set_permissions(world.path("filled/_move"), PermissionsExt::from_mode(0o700)).unwrap();
    let world = world.reopened();
    assert_eq!(world.names(&[]), ["filled", "found", "kept"]);
    assert!(world.path("found/_data/precious").exists());
    assert!(!world.path("begun").exists() && !world.path("bare").exists());
    assert_eq!(fs::read_dir(world.path(".removed")).unwrap().count(), 0);
    assert!(!world.path("kept/_fill").exists() && !world.path("kept/_data/half").exists());
    assert!(world.path("filled/_data/sub").is_dir() && !world.path("filled/_move").exists());
    assert_eq!(fs::read_to_string(world.path("filled/_data/file")).unwrap(), "quicker");
    assert_eq!(fs::metadata(world.path("filled/_data")).unwrap().mode() & 0o7777, 0o700);
}

#[test]
fn an_empty_volume_gets_what_the_image_has_as_it_is() {
    let (world, image) = (World::new(), image());
    let data = world.create("data", None).mountpoint;
    let value = b"v".as_slice();
    let file = opened(&image.path().join("data/sub/file"));
    rustix::fs::fsetxattr(&file, "user.note", value, rustix::fs::XattrFlags::empty()).unwrap();
    world.volumes.fill("data", opened(image.path()), "/data").unwrap();
    assert_eq!(fs::read_to_string(data.join("sub/file")).unwrap(), "content");
    let mode = |path: &str| fs::symlink_metadata(data.join(path)).unwrap().mode() & 0o7777;
    assert_eq!((mode("sub/file"), mode("sub"), mode("pipe"), mode("")), (0o4750, 0o1777, 0o640, 0o711));
    let inode = |path: &str| fs::metadata(data.join(path)).unwrap().ino();
    assert_eq!(inode("again"), inode("sub/file"), "one file with two names");
    assert_eq!(fs::read_link(data.join("absolute")).unwrap(), Path::new("/etc/passwd"));
    assert_eq!(fs::read_link(data.join("up")).unwrap(), Path::new("../../../../etc"));
    let mut found = [0; 8];
    let length = rustix::fs::getxattr(data.join("sub/file"), "user.note", &mut found).unwrap();
    assert_eq!(&found[..length], value);
    let time = |root: &Path| fs::symlink_metadata(root.join("sub/file")).unwrap().mtime_nsec();
    assert_eq!(time(&data), time(&image.path().join("data")));
    // Full it stays as it is, also when the image has something else.
    fs::remove_file(data.join("pipe")).unwrap();
    assert!(!world.volumes.takes_filling("data").unwrap());
    world.volumes.fill("data", opened(image.path()), "/data").unwrap();
    assert!(!data.join("pipe").exists());
}

#[test]
fn the_path_of_an_image_leads_nowhere_else() {
    let (world, image) = (World::new(), image());
    fs::create_dir(image.path().join("etc")).unwrap();
    fs::write(image.path().join("etc/own"), "").unwrap();
    symlink("/etc", image.path().join("link")).unwrap();
    for (name, target) in [("dots", "/../../etc"), ("link", "/link"), ("up", "/data/up")] {
        let data = world.create(&format!("by-{name}"), None).mountpoint;
        world.volumes.fill(&format!("by-{name}"), opened(image.path()), target).unwrap();
        let found: Vec<_> = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(found, ["own"], "{target}");
    }
    for (name, target) in [("missing", "/nosuch"), ("file", "/etc/own"), ("pipe", "/data/pipe")] {
        let data = world.create(&format!("by-{name}"), None).mountpoint;
        world.volumes.fill(&format!("by-{name}"), opened(image.path()), target).unwrap();
        assert_eq!(fs::read_dir(&data).unwrap().count(), 0, "{target}");
    }
}

#[test]
fn a_tree_that_is_too_deep_is_an_error_and_leaves_the_volume_empty() {
    let (world, root) = (World::new(), tempfile::tempdir().unwrap());
    let data = world.create("data", None).mountpoint;
    let mut here = opened(root.path());
    for _ in 0..=copy::DEEPEST {
        rustix::fs::mkdirat(&here, "d", rustix::fs::Mode::from_raw_mode(0o755)).unwrap();
        here = rustix::fs::openat(&here, "d", copy::FOLDER, rustix::fs::Mode::empty()).unwrap();
    }
    let error = world.volumes.fill("data", opened(root.path()), "/").unwrap_err();
    assert!(words(&error).starts_with("copy what the image has at / into volume data: /d/d/d"), "{error}");
    assert_eq!(fs::read_dir(&data).unwrap().count(), 0);
    assert!(!world.path("data/_fill").exists());
    assert_eq!(size::of(root.path()).unwrap_err().raw_os_error(), Some(libc::ENAMETOOLONG));
}

#[test]
fn of_many_containers_that_start_with_one_volume_one_fills_it() {
    let (world, image) = (World::new(), image());
    let data = world.create("data", None).mountpoint;
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| world.volumes.fill("data", opened(image.path()), "/data").unwrap());
        }
    });
    assert_eq!(fs::read_dir(&data).unwrap().count(), 5);
    assert_eq!(fs::read_dir(world.path("data")).unwrap().count(), 1, "nothing beside it");
}

#[test]
fn lists_are_filtered_by_dockerds_rules() {
    let world = World::new();
    world.create("web-data", Some("c1"));
    world.volumes.create(Wanted { labels: pairs(&[("a", "1"), ("b", "2")]), ..wanted("labelled") }, None).unwrap();
    assert_eq!(world.names(&[]), ["labelled", "web-data"]);
    for (filters, expected) in [
        (vec![("dangling", ["true"].as_slice())], vec!["labelled"]),
        (vec![("dangling", &["0"])], vec!["web-data"]),
        (vec![("name", &["data$", "nosuch"])], vec!["web-data"]),
        (vec![("driver", &["local"])], vec!["labelled", "web-data"]),
        (vec![("driver", &["other"])], vec![]),
        (vec![("label", &["a", "b=2"])], vec!["labelled"]),
        (vec![("label", &["a", "b=3"])], vec![]),
        (vec![("label", &[])], vec!["labelled", "web-data"]),
        (vec![("label", &["a"]), ("dangling", &["false"])], vec![]),
    ] {
        assert_eq!(world.names(&filters), expected, "{filters:?}");
    }
    let error = |filters: &[(&str, &[&str])]| words(&world.volumes.list(&asked(filters), false).unwrap_err());
    assert_eq!(error(&[("zork", &["x"])]), "invalid filter 'zork'");
    assert_eq!(error(&[("dangling", &["maybe"])]), "invalid filter 'dangling=[maybe]'");
    assert_eq!(error(&[("all", &["true"])]), "invalid filter 'all'");
}

#[test]
fn sizes_count_each_file_once_and_follow_nothing() {
    let world = World::new();
    let data = world.create("data", None).mountpoint;
    fs::create_dir(data.join("sub")).unwrap();
    fs::write(data.join("sub/file"), [0; 1000]).unwrap();
    fs::hard_link(data.join("sub/file"), data.join("again")).unwrap();
    symlink("/usr", data.join("usr")).unwrap();
    let found = world.volumes.list(&asked(&[]), true).unwrap();
    assert_eq!(found[0].bytes, Some(1000 + 4), "a link is as long as its text");
}

#[test]
fn prune_takes_what_nobody_uses_and_names_only_when_told() {
    let world = World::new();
    let nameless = world.create("", None);
    fs::write(nameless.mountpoint.join("file"), [0; 100]).unwrap();
    world.create("named", None);
    world.create("used", Some("c1"));
    world.create("", Some("c1"));
    world.volumes.create(Wanted { labels: pairs(&[("keep", "")]), ..wanted("labelled") }, None).unwrap();
    let tmpfs = pairs(&[("type", "tmpfs"), ("device", "tmpfs")]);
    world.volumes.create(Wanted { options: tmpfs, ..wanted("memory") }, None).unwrap();
    let pruned = world.volumes.prune(&asked(&[])).unwrap();
    assert_eq!(pruned, Pruned { names: vec![nameless.record.name], freed_bytes: 100 });
    let pruned = world.volumes.prune(&asked(&[("all", &["true"]), ("label!", &["keep"])])).unwrap();
    assert_eq!(pruned.names, ["named"]);
    assert_eq!(world.names(&[("name", &["^[a-z]{4,8}$"])]), ["labelled", "memory", "used"]);
    assert_eq!(words(&world.volumes.prune(&asked(&[("until", &["1h"])])).unwrap_err()), "invalid filter 'until'");
}
