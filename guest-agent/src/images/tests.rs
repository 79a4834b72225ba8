//! The store as a whole: what its users see.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use super::archives::{TarEntry, TestImage, TestStore, docker_archive, gzip, tar};
use super::{Filters, ImagesError, ImportRequest, Kind, Removed};

fn layer(name: &str) -> Vec<u8> {
    tar(&[TarEntry::folder("d"), TarEntry::file(format!("d/{name}"), name), TarEntry::whiteout("d/.wh.gone")])
}

fn image(tags: &[&'static str], name: &str) -> TestImage {
    TestImage::new(tags, &[layer("base"), layer(name)])
}

fn with(images: &[TestImage]) -> TestStore {
    let test = TestStore::new();
    test.store.load(docker_archive(images).as_slice()).unwrap();
    test
}

fn saved(test: &TestStore, images: &[&str]) -> Result<Vec<u8>, ImagesError> {
    let names: Vec<String> = images.iter().map(ToString::to_string).collect();
    let mut archive = Vec::new();
    test.store.save(&names, &mut archive).map(|()| archive)
}

fn members(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut members = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut data = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut data).unwrap();
        members.insert(name, data);
    }
    members
}

fn id(text: &str) -> String {
    format!("{text:0>64}")
}

#[test]
fn a_saved_image_is_the_image_that_was_loaded() {
    let image = image(&["cove/a:1", "b:latest"], "top");
    let archive = saved(&with(std::slice::from_ref(&image)), &["cove/a:1", "b"]).unwrap();
    let members = members(&archive);
    assert_eq!(members[&format!("blobs/sha256/{}", &image.id()[7..])], image.config());
    for layer in &image.layers {
        let name = format!("blobs/sha256/{}", &super::Digest::of(layer).to_string()[7..]);
        assert!(members[&name] == *layer, "{name}");
    }
    let manifest: Value = serde_json::from_slice(&members["manifest.json"]).unwrap();
    assert_eq!(manifest[0]["RepoTags"], json!(["cove/a:1", "b:latest"]));

    let again = TestStore::new();
    let loaded = again.store.load(archive.as_slice()).unwrap();
    assert!(loaded.iter().all(|loaded| loaded.id == image.id()), "{loaded:?}");
    assert_eq!(saved(&again, &["cove/a:1", "b"]).unwrap(), archive, "the same bytes");
    // The OCI half alone gives the same.
    let oci: Vec<TarEntry> = members
        .iter()
        .filter(|(name, _)| *name != "manifest.json")
        .map(|(name, data)| TarEntry::file(name, data))
        .collect();
    let third = TestStore::new();
    assert_eq!(third.store.load(tar(&oci).as_slice()).unwrap(), loaded);
}

#[test]
fn a_name_without_a_tag_saves_all_tags_and_an_id_none() {
    let one = image(&["a:1", "a:2", "b:1"], "one");
    let test = with(std::slice::from_ref(&one));
    let tags = |names: &[&str]| {
        let manifest: Value = serde_json::from_slice(&members(&saved(&test, names).unwrap())["manifest.json"]).unwrap();
        manifest[0]["RepoTags"].clone()
    };
    assert_eq!(tags(&["a"]), json!(["a:1", "a:2"]));
    assert_eq!(tags(&["a:2", "b:1", "a:2"]), json!(["a:2", "b:1"]));
    assert_eq!(tags(&[&one.id()]), json!([]));
    assert_eq!(tags(&[&one.id()[7..15]]), json!([]));
    let error = saved(&test, &["a", "nosuch"]).unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (Kind::NotFound, "No such image: nosuch:latest".to_owned()));
}

#[test]
fn damage_on_the_disk_is_noticed_when_saving() {
    let test = with(&[image(&["a:1"], "top")]);
    let tree = test.store.hold("a:1", "c").unwrap().layers[0].clone();
    fs::write(tree.join("d/top"), "TOP").unwrap();
    let error = saved(&test, &["a:1"]).unwrap_err();
    assert_eq!(error.kind(), Kind::Internal);
    fs::write(tree.join("d/top"), "").unwrap();
    assert!(saved(&test, &["a:1"]).is_err());
}

#[test]
fn images_are_found_by_every_name() {
    let one = image(&["cove/a:1"], "one");
    let test = with(std::slice::from_ref(&one));
    let id = one.id();
    for name in ["cove/a:1", "docker.io/cove/a:1", &id, &id[7..], &id[7..19], &id[..20], &id[7..8]] {
        assert_eq!(test.store.resolve(name).unwrap().id, id, "{name}");
    }
    for (name, error) in [
        ("cove/a", "No such image: cove/a:latest"),
        ("nosuch", "No such image: nosuch:latest"),
        ("sha256:00", "No such image: sha256:00"),
        ("UPPER", "invalid reference format: repository name (library/UPPER) must be lowercase"),
        ("a b", "invalid reference format"),
    ] {
        assert_eq!(test.store.resolve(name).unwrap_err().to_string(), error);
    }
    let missing = format!("sha256:{}", "0".repeat(64));
    assert_eq!(test.store.resolve(&missing).unwrap_err().to_string(), format!("No such image: {missing}"));
}

#[test]
fn everything_is_there_again_after_a_restart() {
    let one = image(&["a:1"], "one");
    let test = with(std::slice::from_ref(&one));
    let held = test.store.hold("a:1", "c").unwrap();
    let test = test.reopen();
    assert_eq!(test.store.resolve("a:1").unwrap().id, one.id());
    assert_eq!(test.store.held("c").unwrap(), held);
    assert_eq!(held.config.cmd, Some(vec!["/hello".to_owned()]));
    assert!(held.layers[0].join("d/one").exists() && held.layers[1].join("d/base").exists());
}

#[test]
fn left_overs_of_a_crash_are_removed_and_what_is_lost_is_forgotten() {
    let test = with(&[image(&["a:1"], "one"), TestImage::new(&["b:1"], &[layer("other")])]);
    let layers = test.config.root.join("layers");
    fs::create_dir_all(layers.join(".tmp-1/root/deep")).unwrap();
    fs::create_dir_all(layers.join("0".repeat(64)).join("root")).unwrap();
    fs::write(test.config.root.join("images/.tmp-2"), "spool").unwrap();
    let lost = test.store.hold("b:1", "c").unwrap().layers[0].parent().unwrap().to_owned();
    test.store.release("c").unwrap();
    fs::remove_dir_all(lost).unwrap();

    let test = test.reopen();
    assert_eq!(test.on_disk().len(), 2, "{:?}", test.on_disk());
    assert!(test.store.resolve("a:1").is_ok());
    assert_eq!(test.store.resolve("b:1").unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn the_built_in_image_is_loaded_once() {
    let archive = docker_archive(&[image(&["cove/hello:latest"], "hello")]);
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("hello.tar");
    fs::write(&path, &archive).unwrap();
    let test = TestStore::with(|config| config.builtin_archive = Some(path.clone()));
    assert!(test.store.resolve("cove/hello").is_ok());
    test.store.remove("cove/hello", false).unwrap();
    let test = test.reopen();
    assert!(test.store.resolve("cove/hello").is_err(), "removed stays removed");
    fs::write(&path, docker_archive(&[image(&["cove/hello:latest"], "newer")])).unwrap();
    let test = test.reopen();
    assert!(test.store.resolve("cove/hello").is_ok(), "another archive is loaded");
    fs::write(&path, "garbage").unwrap();
    assert!(test.reopen().store.resolve("cove/hello").is_ok(), "garbage does not keep the agent from starting");
}

#[test]
fn tags_are_given_and_taken() {
    let (one, two) = (image(&["a:1"], "one"), image(&["b:1"], "two"));
    let test = with(&[one.clone(), two.clone()]);
    let before = test.store.resolve("a:1").unwrap().tagged_nanos;
    test.store.tag("a:1", "c").unwrap();
    test.store.tag(&two.id()[7..], "host:5000/x/y").unwrap();
    let found = test.store.resolve("c:latest").unwrap();
    assert_eq!((found.id.as_str(), found.tags), (one.id().as_str(), vec!["a:1".to_owned(), "c:latest".to_owned()]));
    assert!(found.tagged_nanos >= before);
    test.store.tag("b:1", "c").unwrap();
    assert_eq!(test.store.resolve("c").unwrap().id, two.id());
    for (image, reference, error) in [
        ("nosuch", "x", "No such image: nosuch:latest"),
        (
            "a:1",
            "x@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "refusing to create a tag with a digest reference",
        ),
        ("a:1", "sha256:1", "refusing to create an ambiguous tag using digest algorithm as name"),
        ("a:1", "X", "invalid reference format: repository name (library/X) must be lowercase"),
        ("a:1", "x:", "invalid reference format"),
    ] {
        assert_eq!(test.store.tag(image, reference).unwrap_err().to_string(), error);
    }
}

/// Removes from a store with an image of these tags that these containers use (a "!" before those that run).
fn remove(tags: &[&'static str], users: &[&str], name: &str, force: bool) -> Result<Vec<String>, String> {
    let one = image(tags, "one");
    let test = with(std::slice::from_ref(&one));
    for user in users {
        let container = id(user.trim_start_matches('!'));
        test.store.hold(&one.id(), &container).unwrap();
        test.store.set_running(&container, user.starts_with('!'));
    }
    let name = name.replace("ID", &one.id()[7..]);
    let removed = test.store.remove(&name, force).map_err(|error| {
        assert_eq!(error.kind(), Kind::Conflict, "{error}");
        error.to_string().replace(&one.id()[7..19], "SHORT")
    })?;
    let said = |step: Removed| match step {
        Removed::Untagged(reference) => reference,
        Removed::Deleted(digest) if digest == one.id() => "image".to_owned(),
        Removed::Deleted(_) | Removed::Layer(..) => "layer".to_owned(),
    };
    Ok(removed.into_iter().map(said).collect())
}

#[test]
fn removal_follows_dockerds_table() {
    let gone = |steps: &[&str]| Ok(steps.iter().map(ToString::to_string).collect::<Vec<_>>());
    let conflict = |text: &str| Err(format!("conflict: unable to {text}"));
    let short = id("7")[..12].to_owned();
    for (tags, users, name, force, expected) in [
        (&["a:1"][..], &[][..], "a:1", false, gone(&["a:1", "image", "layer", "layer"])),
        (&["a:1", "b:1"], &[], "a:1", false, gone(&["a:1"])),
        (&["a:1", "b:1"], &["7"], "a:1", false, gone(&["a:1"])),
        (
            &["a:1"],
            &["7"],
            "a:1",
            false,
            conflict(&format!(
                "remove repository reference \"a:1\" (must force) - container {short} is using its referenced image SHORT"
            )),
        ),
        (
            &["a:1"],
            &["!7"],
            "a:1",
            false,
            conflict(&format!(
                "remove repository reference \"a:1\" (must force) - container {short} is using its referenced image SHORT"
            )),
        ),
        (&["a:1"], &["7"], "a:1", true, gone(&["a:1", "image"])),
        (&["a:1"], &["!7"], "a:1", true, gone(&["a:1"])),
        (&["a:1"], &[], "ID", false, gone(&["a:1", "image", "layer", "layer"])),
        (
            &["a:1", "a:2"],
            &[],
            "ID",
            false,
            conflict("delete SHORT (must be forced) - image is referenced in multiple repositories"),
        ),
        (&["a:1", "b:1"], &[], "ID", true, gone(&["a:1", "b:1", "image", "layer", "layer"])),
        (
            &["a:1"],
            &["7"],
            "ID",
            false,
            conflict(&format!("delete SHORT (must be forced) - image is being used by stopped container {short}")),
        ),
        (&["a:1"], &["7"], "ID", true, gone(&["a:1", "image"])),
        (
            &["a:1"],
            &["!7"],
            "ID",
            false,
            conflict(&format!("delete SHORT (cannot be forced) - image is being used by running container {short}")),
        ),
        (
            &["a:1"],
            &["!7"],
            "ID",
            true,
            conflict(&format!("delete SHORT (cannot be forced) - image is being used by running container {short}")),
        ),
        (&[], &[], "ID", false, gone(&["image", "layer", "layer"])),
    ] {
        assert_eq!(remove(tags, users, name, force), expected, "{tags:?} {users:?} {name} {force}");
    }
}

#[test]
fn layers_go_when_the_last_image_and_container_that_need_them_have_gone() {
    let (one, two) = (image(&["a:1"], "one"), image(&["b:1"], "two"));
    let test = with(&[one, two]);
    assert_eq!(test.on_disk().len(), 3);
    let held = test.store.hold("a:1", "c").unwrap();
    test.store.remove("a:1", true).unwrap();
    assert_eq!(test.on_disk().len(), 3);
    assert_eq!(test.store.held("c").unwrap(), held, "the container keeps what it needs");
    assert_eq!(test.store.resolve("a:1").unwrap_err().kind(), Kind::NotFound);
    test.store.release("c").unwrap();
    assert_eq!(test.on_disk().len(), 2);
    test.store.release("c").unwrap();
    test.store.remove("b:1", false).unwrap();
    assert_eq!(test.on_disk(), [""; 0]);
}

#[test]
fn holds_of_containers_that_do_not_exist_end() {
    let test = with(&[image(&["a:1"], "one")]);
    for container in ["known", "lost"] {
        test.store.hold("a:1", container).unwrap();
    }
    assert_eq!(test.store.resolve("a:1").unwrap().containers, 2);
    test.store.retain_holds(|container| container == "known").unwrap();
    assert_eq!(test.store.resolve("a:1").unwrap().containers, 1);
    assert!(test.store.held("lost").is_err());
}

fn listed(test: &TestStore, filters: &[(&str, &[&str])]) -> Result<Vec<String>, String> {
    let filters: Filters = filters
        .iter()
        .map(|(key, values)| ((*key).to_owned(), values.iter().map(ToString::to_string).collect()))
        .collect();
    let images = test.store.list(&filters).map_err(|error| error.to_string())?;
    Ok(images
        .into_iter()
        .map(|image| if image.tags.is_empty() { "<none>".to_owned() } else { image.tags.join(" ") })
        .collect())
}

#[test]
fn lists_are_filtered_as_dockerd_does() {
    let mut old = image(&["old:1", "cove/old:2"], "old");
    old.created = "2025-01-01T00:00:00Z";
    old.labels = json!({ "a": "1", "b": "2" });
    let new = image(&["new:1"], "new");
    let mut none = image(&[], "none");
    none.created = "2025-06-01T00:00:00Z";
    none.labels = json!({ "a": "2" });
    let test = with(&[old, new, none]);
    let ok = |names: &[&str]| Ok(names.iter().map(ToString::to_string).collect::<Vec<_>>());
    for (filters, expected) in [
        (&[][..], ok(&["new:1", "<none>", "cove/old:2 old:1"])),
        (&[("dangling", &["true"][..])], ok(&["<none>"])),
        (&[("dangling", &["0"])], ok(&["new:1", "cove/old:2 old:1"])),
        (&[("label", &["a"])], ok(&["<none>", "cove/old:2 old:1"])),
        (&[("label", &["a=1", "b"])], ok(&["cove/old:2 old:1"])),
        (&[("label!", &["a=1"])], ok(&["new:1", "<none>"])),
        (&[("reference", &["old"])], ok(&["old:1"])),
        (&[("reference", &["*/*"])], ok(&["cove/old:2"])),
        (&[("reference", &["*:1"])], ok(&["new:1", "old:1"])),
        (&[("before", &["new:1"])], ok(&["<none>", "cove/old:2 old:1"])),
        (&[("since", &["old:1"])], ok(&["new:1", "<none>"])),
        (&[("since", &["old:1"]), ("before", &["new:1"])], ok(&["<none>"])),
        (&[("until", &["2025-02-01"])], ok(&["cove/old:2 old:1"])),
        (&[("until", &["1735689601"])], ok(&["cove/old:2 old:1"])),
        (&[("until", &["2025-06-01T00:00:01Z"])], ok(&["<none>", "cove/old:2 old:1"])),
        (&[("until", &["1h"])], ok(&["new:1", "<none>", "cove/old:2 old:1"])),
        (&[("nonsense", &["x"])], Err("invalid filter 'nonsense'".to_owned())),
        (&[("dangling", &["maybe"])], Err("invalid value for filter 'dangling': 'maybe'".to_owned())),
        (&[("until", &["soon"])], Err("invalid value for filter 'until': 'soon'".to_owned())),
        (&[("until", &["1h", "2h"])], Err("more than one until filter specified".to_owned())),
        (&[("reference", &["["])], Err("syntax error in pattern".to_owned())),
        (&[("before", &["nosuch"])], Err("No such image: nosuch:latest".to_owned())),
    ] {
        assert_eq!(listed(&test, filters), expected, "{filters:?}");
    }
}

#[test]
fn a_file_system_is_imported_with_changes() {
    let test = TestStore::new();
    let request = ImportRequest {
        reference: "imp:1".to_owned(),
        message: "from a test".to_owned(),
        changes: vec!["CMD [\"/x\"]".to_owned(), "ENV A=1".to_owned()],
        platform: "linux/arm64/v8".to_owned(),
    };
    let tree = tar(&[TarEntry::file("x", "y")]);
    let id = test.store.import(&request, gzip(&tree).as_slice()).unwrap();
    let found = test.store.resolve("imp:1").unwrap();
    assert_eq!(found.id, id);
    assert_eq!(found.layer_diff_ids, [super::Digest::of(&tree).to_string()]);
    assert_eq!((found.arch.as_str(), found.variant.as_str()), ("arm64", "v8"));
    assert_eq!((found.config.cmd, found.config.env), (Some(vec!["/x".to_owned()]), vec!["A=1".to_owned()]));
    let document: Value = serde_json::from_slice(&found.config_json).unwrap();
    assert_eq!(document["history"][0]["comment"], "from a test");
    assert_eq!(test.on_disk().len(), 1);
    let archive = saved(&test, &["imp:1"]).unwrap();
    assert_eq!(TestStore::new().store.load(archive.as_slice()).unwrap()[0].id, id);
}

#[test]
fn a_bad_import_leaves_nothing() {
    let test = TestStore::new();
    let tree = tar(&[TarEntry::file("x", "y")]);
    for (request, tar, error) in [
        (
            ImportRequest { reference: "X".into(), ..Default::default() },
            &tree[..],
            "invalid reference format: repository name (library/X) must be lowercase",
        ),
        (
            ImportRequest { changes: vec!["RUN x".into()], ..Default::default() },
            &tree,
            "run is not a valid change command",
        ),
        (
            ImportRequest { platform: "linux".into(), ..Default::default() },
            b"x".repeat(600).leak(),
            "invalid tar header at byte 0",
        ),
        (
            ImportRequest { platform: "windows/amd64".into(), ..Default::default() },
            &tree,
            "invalid platform \"windows/amd64\"",
        ),
        (ImportRequest { platform: "linux//v8".into(), ..Default::default() }, &tree, "invalid platform \"linux//v8\""),
    ] {
        let failed = test.store.import(&request, tar).unwrap_err();
        assert_eq!((failed.kind(), failed.to_string()), (Kind::Invalid, error.to_owned()));
        assert_eq!(test.on_disk(), [""; 0]);
    }
}

#[test]
fn loading_saving_and_removing_at_once_keeps_the_store_whole() {
    let images: Vec<TestImage> =
        ["a:1", "b:1", "c:1"].iter().map(|tag| image(std::slice::from_ref(tag), tag)).collect();
    let test = TestStore::new();
    std::thread::scope(|scope| {
        for image in &images {
            let store = &test.store;
            scope.spawn(move || {
                for _ in 0..15 {
                    store.load(docker_archive(std::slice::from_ref(image)).as_slice()).unwrap();
                    let tag = image.tags[0].to_owned();
                    store.save(std::slice::from_ref(&tag), &mut Vec::new()).unwrap();
                    store.remove(&tag, false).unwrap();
                }
            });
        }
    });
    assert_eq!(test.on_disk(), [""; 0]);
}

#[test]
fn images_without_a_name_are_pruned_and_with_all_those_without_a_container() {
    let test = with(&[image(&["a:1"], "old"), image(&["b:1"], "used"), image(&["c:1"], "free")]);
    test.store.load(docker_archive(&[image(&["a:1"], "new")]).as_slice()).unwrap();
    test.store.hold("b:1", "c0ffee").unwrap();
    let filters = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()])).collect()
    };
    assert_eq!(test.store.prune(&filters(&[("label", "none")])).unwrap().removed, []);
    let pruned = test.store.prune(&filters(&[])).unwrap();
    let old = image(&[], "old");
    let bytes = match &pruned.removed[..] {
        [Removed::Deleted(id), Removed::Layer(_, bytes)] if *id == old.id() => *bytes,
        other => panic!("{other:?}"),
    };
    assert_eq!(pruned.freed_bytes, bytes);
    assert!(bytes > 0);
    test.store.prune(&filters(&[("dangling", "false")])).unwrap();
    let left: Vec<String> =
        test.store.list(&Filters::new()).unwrap().into_iter().flat_map(|image| image.tags).collect();
    assert_eq!(left, ["b:1"]);
    assert!(test.store.prune(&filters(&[("x", "y")])).is_err());
    assert_eq!(test.store.check(true).unwrap().problems, [""; 0]);
}

#[test]
fn a_step_on_the_way_to_an_image_goes_with_it() {
    let test = with(&[image(&["base:1"], "base")]);
    let commit = |of: &str, name: &str| {
        test.store.hold(of, "c0ffee").unwrap();
        let request = super::CommitRequest {
            container: "c0ffee".to_owned(),
            reference: name.to_owned(),
            message: format!("{of} {name}"),
            ..Default::default()
        };
        let id = test.store.commit(&request, Some(Box::new(std::io::Cursor::new(layer(&of[of.len() - 2..]))))).unwrap();
        test.store.release("c0ffee").unwrap();
        id
    };
    let step = commit("base:1", "");
    let end = commit(&step, "end:1");
    assert_eq!(test.store.resolve("end:1").unwrap().parent, step);
    let refused = test.store.remove(&step, true).unwrap_err().to_string();
    assert!(refused.ends_with("(cannot be forced) - image has dependent child images"), "{refused}");
    // A name goes, the image stays for the others.
    assert_eq!(test.store.remove("base:1", false).unwrap(), [Removed::Untagged("base:1".to_owned())]);
    assert_eq!(test.store.prune(&Filters::new()).unwrap().removed, []);
    let removed = test.store.remove_with_parents("end:1", false).unwrap();
    let images: Vec<_> = removed.iter().filter(|step| matches!(step, Removed::Deleted(_))).collect();
    assert_eq!(images.len(), 3, "{removed:?}");
    assert_eq!(images[0], &Removed::Deleted(end));
    assert!(test.on_disk().is_empty());
}
