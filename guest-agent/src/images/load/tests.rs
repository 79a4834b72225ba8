//! Archives of every kind, good and bad.

use std::io::{self, Read};

use serde_json::json;

use crate::images::archives::{
    TarEntry, TestImage, TestStore, blob, docker_archive, docker_archive_with, gzip, tar, zstd,
};
use crate::images::{Digest, ImagesError, Kind, LoadedImage};

fn layer(name: &str) -> Vec<u8> {
    tar(&[TarEntry::folder("bin"), TarEntry::file(format!("bin/{name}"), name.repeat(1000)).mode(0o755)])
}

fn image(tags: &[&'static str]) -> TestImage {
    TestImage::new(tags, &[layer("a"), layer("b")])
}

fn named(image: &TestImage, reference: &str) -> LoadedImage {
    LoadedImage { id: image.id(), reference: Some(reference.to_owned()) }
}

/// An OCI layout of one image.
fn oci_layout(image: &TestImage, annotations: serde_json::Value, packed: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut entries = vec![TarEntry::file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#)];
    let manifest = manifest(&mut entries, image, packed);
    let mut descriptor = blob(&mut entries, &manifest);
    descriptor["annotations"] = annotations;
    let index = json!({ "schemaVersion": 2, "manifests": [descriptor] });
    entries.push(TarEntry::file("index.json", index.to_string()));
    tar(&entries)
}

fn manifest(entries: &mut Vec<TarEntry>, image: &TestImage, packed: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let layers: Vec<_> = image.layers.iter().map(|layer| blob(entries, &packed(layer))).collect();
    let config = blob(entries, &image.config());
    json!({ "schemaVersion": 2, "config": config, "layers": layers }).to_string().into_bytes()
}

#[test]
fn a_docker_archive_is_loaded_however_it_is_compressed() {
    let image = image(&["cove/a:1", "other:latest"]);
    let plain = docker_archive(std::slice::from_ref(&image));
    let layers_packed = docker_archive_with(std::slice::from_ref(&image), gzip);
    for archive in [
        plain.clone(),
        gzip(&plain),
        zstd(&plain),
        layers_packed,
        docker_archive_with(std::slice::from_ref(&image), zstd),
    ] {
        let test = TestStore::new();
        let loaded = test.store.load(archive.as_slice()).unwrap();
        assert_eq!(loaded, [named(&image, "cove/a:1"), named(&image, "other:latest")]);
        let found = test.store.resolve("other").unwrap();
        assert_eq!(
            (found.id.as_str(), found.tags.as_slice()),
            (image.id().as_str(), &["cove/a:1".to_owned(), "other:latest".to_owned()][..])
        );
        assert_eq!(found.size_bytes, 2000);
        assert_eq!(found.config_json, image.config());
        assert_eq!(test.on_disk().len(), 2, "two layers and no left-overs: {:?}", test.on_disk());
    }
}

#[test]
fn an_oci_layout_is_loaded_under_its_name_or_none() {
    let image = image(&[]);
    for (annotations, reference) in [
        (
            json!({ "io.containerd.image.name": "docker.io/cove/a:1", "org.opencontainers.image.ref.name": "1" }),
            Some("cove/a:1"),
        ),
        (json!({ "org.opencontainers.image.ref.name": "host:5000/a:2" }), Some("host:5000/a:2")),
        (json!({ "org.opencontainers.image.ref.name": "latest" }), None),
        (json!(null), None),
    ] {
        for packed in [<[u8]>::to_vec, gzip, zstd] {
            let test = TestStore::new();
            let loaded = test.store.load(oci_layout(&image, annotations.clone(), packed).as_slice()).unwrap();
            assert_eq!(loaded, [LoadedImage { id: image.id(), reference: reference.map(str::to_owned) }]);
        }
    }
}

#[test]
fn of_several_platforms_the_guests_is_taken() {
    let (ours, theirs) = (image(&[]), TestImage::new(&[], &[layer("theirs")]));
    let mut entries = Vec::new();
    let mut nested = Vec::new();
    for (image, arch) in [(&theirs, "s390x"), (&ours, "amd64")] {
        let manifest = manifest(&mut entries, image, gzip);
        let mut descriptor = blob(&mut entries, &manifest);
        descriptor["platform"] = json!({ "os": "linux", "architecture": arch });
        nested.push(descriptor);
    }
    let mut attestation = nested[1].clone();
    attestation["annotations"] = json!({ "vnd.docker.reference.type": "attestation-manifest" });
    attestation["platform"] = json!({ "os": "unknown", "architecture": "unknown" });
    nested.insert(0, attestation);
    let index = blob(&mut entries, json!({ "schemaVersion": 2, "manifests": nested }).to_string().as_bytes());
    entries.push(TarEntry::file("index.json", json!({ "schemaVersion": 2, "manifests": [index] }).to_string()));
    let archive = tar(&entries);

    let test = TestStore::new();
    assert_eq!(test.store.load(archive.as_slice()).unwrap(), [LoadedImage { id: ours.id(), reference: None }]);
    let test = TestStore::with(|config| config.arch = "arm64".to_owned());
    let error = test.store.load(archive.as_slice()).unwrap_err().to_string();
    assert!(error.ends_with("has no image for linux/arm64"), "{error}");
}

#[test]
fn images_share_layers_and_layers_that_are_there_are_not_unpacked_again() {
    let one = TestImage::new(&["one:1"], &[layer("base"), layer("one")]);
    let two = TestImage::new(&["two:1"], &[layer("base"), layer("two")]);
    let test = TestStore::new();
    test.store.load(docker_archive(&[one.clone(), two]).as_slice()).unwrap();
    assert_eq!(test.on_disk().len(), 3);
    // The layers of this archive are garbage, but nobody needs to look at them.
    let archive = docker_archive_with(&[one], |_| b"garbage".to_vec());
    test.store.load(archive.as_slice()).unwrap();
    assert_eq!(test.on_disk().len(), 3);
}

#[test]
fn a_loaded_reference_moves_from_the_image_that_had_it() {
    let test = TestStore::new();
    let (old, new) = (image(&["a:1"]), TestImage::new(&["a:1"], &[layer("new")]));
    test.store.load(docker_archive(std::slice::from_ref(&old)).as_slice()).unwrap();
    test.store.load(docker_archive(std::slice::from_ref(&new)).as_slice()).unwrap();
    assert_eq!(test.store.resolve("a:1").unwrap().id, new.id());
    assert!(test.store.resolve(&old.id()).unwrap().tags.is_empty());
}

/// Loads, and finds that nothing at all is left of it.
fn fails(archive: &[u8]) -> ImagesError {
    let test = TestStore::new();
    let error = test.store.load(archive).unwrap_err();
    assert_eq!(test.on_disk(), [""; 0]);
    assert!(test.store.list(&Default::default()).unwrap().is_empty());
    error
}

#[test]
fn bad_archives_are_refused_and_leave_nothing() {
    let good = image(&["a:1"]);
    let config = good.config();
    let manifest = |value: serde_json::Value| {
        tar(&[TarEntry::file("c.json", &config), TarEntry::file("manifest.json", value.to_string())])
    };
    for (archive, words) in [
        (vec![], "neither manifest.json nor index.json"),
        (b"hello".to_vec(), "unexpected EOF"),
        (vec![b'x'; 5000], "invalid tar header at byte 0"),
        (tar(&[TarEntry::file("x", "y")]), "neither manifest.json nor index.json"),
        (tar(&[TarEntry::file("manifest.json", "{")]), "manifest.json"),
        (tar(&[TarEntry::file("manifest.json", "[".repeat(1000))]), "manifest.json"),
        (tar(&[TarEntry::file("manifest.json", vec![b' '; 5 << 20])]), "more than 4194304"),
        (manifest(json!([{ "Config": "other.json", "Layers": [] }])), "other.json is not in it"),
        (manifest(json!([{ "Config": "c.json", "Layers": ["l.tar", "m.tar"] }])), "l.tar is not in it"),
        (manifest(json!([{ "Config": "c.json", "Layers": null }])), "layers length mismatch: expected 2, got 0"),
        (manifest(json!([{ "Config": "c.json", "RepoTags": ["A:1"], "Layers": [] }])), "must be lowercase"),
        (manifest(json!([{ "Config": "c.json", "RepoTags": ["a"], "Layers": [] }])), "invalid tag \"a\""),
        (
            tar(&[TarEntry::file("c", "{}"), TarEntry::file("manifest.json", r#"[{"Config":"c","Layers":[]}]"#)]),
            "image configuration",
        ),
        (tar(&[TarEntry::symlink("manifest.json", "manifest.json")]), "neither manifest.json nor index.json"),
        (tar(&[TarEntry::file("index.json", r#"{"manifests":[]}"#)]), "names no image"),
        (docker_archive_with(std::slice::from_ref(&good), |_| tar(&[])), "invalid diffID"),
        (docker_archive_with(std::slice::from_ref(&good), |l| gzip(l)[..60].to_vec()), "unexpected EOF"),
        (docker_archive_with(std::slice::from_ref(&good), |_| tar(&[TarEntry::file("../x", "")])), "of the layer"),
    ] {
        let error = fails(&archive);
        assert_eq!(error.kind(), Kind::Invalid, "{error}");
        assert!(error.to_string().contains(words), "{error} does not say {words}");
    }
}

#[test]
fn a_good_image_beside_a_bad_one_is_not_kept_either() {
    let bad = TestImage { layers: vec![layer("x")], ..image(&["bad:1"]) };
    let mut broken = docker_archive(&[image(&["good:1"]), bad]);
    let at = broken.windows(4).position(|w| w == b"xxxx").unwrap();
    broken[at] = b'y';
    assert!(fails(&broken).to_string().contains("invalid diffID"));
}

#[test]
fn a_blob_that_is_not_its_digest_and_a_document_that_is_two_are_refused() {
    let good = image(&[]);
    let mut archive = oci_layout(&good, json!(null), <[u8]>::to_vec);
    let at = archive.windows(6).position(|w| w == b"/hello").unwrap();
    archive[at + 1] = b'H';
    assert!(fails(&archive).to_string().contains("has the digest"));

    let mut entries = Vec::new();
    let both = json!({ "schemaVersion": 2, "manifests": [], "layers": [], "config": null }).to_string();
    let descriptor = blob(&mut entries, both.as_bytes());
    entries.push(TarEntry::file("index.json", json!({ "manifests": [descriptor] }).to_string()));
    assert!(fails(&tar(&entries)).to_string().contains("neither a manifest nor an index"));
}

#[test]
fn a_cut_compressed_archive_is_refused_wherever_it_is_cut() {
    let archive = gzip(&docker_archive(&[image(&["a:1"])]));
    for cut in (0..archive.len()).step_by(archive.len() / 17) {
        assert!(matches!(fails(&archive[..cut]).kind(), Kind::Invalid), "{cut}");
    }
}

#[test]
fn another_system_is_refused() {
    let config =
        json!({ "os": "windows", "architecture": "amd64", "rootfs": { "type": "layers", "diff_ids": [] } }).to_string();
    let manifest = r#"[{"Config":"c","Layers":[]}]"#;
    let error = fails(&tar(&[TarEntry::file("c", config), TarEntry::file("manifest.json", manifest)]));
    assert_eq!(error.to_string(), "cannot load windows image on linux");
}

#[test]
fn a_full_disk_says_what_was_needed_and_nothing_is_kept() {
    // All that is free is reserved.
    let test = TestStore::with(|config| config.limits.reserved_bytes = u64::MAX / 2);
    let error = test.store.load(docker_archive(&[image(&["a:1"])]).as_slice()).unwrap_err();
    assert_eq!(error.kind(), Kind::Full);
    let text = error.to_string();
    assert!(text.starts_with("no space left on device: the archive needs at least "), "{text}");
    assert_eq!(test.on_disk(), [""; 0]);
}

#[test]
fn a_client_that_goes_away_leaves_nothing() {
    struct Gone;
    impl Read for Gone {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionAborted.into())
        }
    }
    let test = TestStore::new();
    let archive = docker_archive(&[image(&["a:1"])]);
    let error = test.store.load(archive[..3000].chain(Gone)).unwrap_err();
    assert_eq!(error.kind(), Kind::Cancelled);
    assert_eq!(test.on_disk(), [""; 0]);
}

#[test]
fn links_between_members_are_followed() {
    let image = TestImage::new(&["a:1"], &[layer("x")]);
    let manifest = json!([{ "Config": "./c.json", "RepoTags": ["a:1"], "Layers": ["two/layer.tar"] }]).to_string();
    let archive = tar(&[
        TarEntry::file("./c.json", image.config()),
        TarEntry::file("one/layer.tar", layer("x")),
        TarEntry::symlink("two/layer.tar", "../one/layer.tar"),
        TarEntry::file("manifest.json", manifest),
    ]);
    assert_eq!(TestStore::new().store.load(archive.as_slice()).unwrap(), [named(&image, "a:1")]);
}

#[test]
fn an_image_without_layers_is_an_image() {
    let image = TestImage::new(&["scratch:1"], &[]);
    let test = TestStore::new();
    test.store.load(docker_archive(std::slice::from_ref(&image)).as_slice()).unwrap();
    assert!(test.store.hold("scratch:1", "c").unwrap().layers.is_empty());
    assert_eq!(test.store.resolve("scratch:1").unwrap().id, Digest::of(&image.config()).to_string());
}
