//! Images as the host brings them: whole, broken off, and not what they say.

use std::io::Read;

use super::*;
use crate::images::LayerCompression;
use crate::images::archives::{TarEntry, TestImage, TestStore, gzip, tar, zstd};
use crate::images::error::Kind;

const REPOSITORY: &str = "docker.io/library/x";

fn layer(name: &str) -> Vec<u8> {
    tar(&[TarEntry::folder(format!("{name}/")), TarEntry::file(format!("{name}/file"), name.repeat(1000))])
}

/// An image of three layers, one of each compression, and the bytes of its layers as a registry has them.
fn image() -> (IncomingImage, Vec<Vec<u8>>) {
    let image = TestImage::new(&[], &[layer("a"), layer("b"), layer("c")]);
    packed(&image, &[gzip, zstd, <[u8]>::to_vec])
}

type Pack = fn(&[u8]) -> Vec<u8>;

fn packed(image: &TestImage, pack: &[Pack]) -> (IncomingImage, Vec<Vec<u8>>) {
    let blobs: Vec<Vec<u8>> = image.layers.iter().zip(pack).map(|(layer, pack)| pack(layer)).collect();
    let remote = |blob: &Vec<u8>| RemoteLayer {
        digest: Digest::of(blob),
        media_type: "application/vnd.oci.image.layer.v1.tar".to_owned(),
        size_bytes: blob.len() as u64,
    };
    let incoming = IncomingImage {
        config: image.config(),
        layers: blobs.iter().map(remote).collect(),
        manifest: blobs.concat().len().to_string().into_bytes(),
        media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
        repository: REPOSITORY.to_owned(),
    };
    (incoming, blobs)
}

fn bring(receipt: &Receipt, store: &ImageStore, blobs: &[Vec<u8>], index: usize) -> Result<u64, ImagesError> {
    store.incoming_image(receipt.name())?.layer(index, blobs[index].as_slice(), |_| ())
}

fn receive(test: &TestStore, (image, blobs): (IncomingImage, Vec<Vec<u8>>), tag: &str) -> (String, bool) {
    let digest = format!("{REPOSITORY}@{}", Digest::of(&image.manifest));
    let receipt = test.store.receive(image).unwrap();
    for index in receipt.missing().to_vec() {
        bring(&receipt, &test.store, &blobs, index).unwrap();
    }
    receipt.commit(&[format!("{REPOSITORY}:{tag}")], &[digest], false).unwrap()
}

#[test]
fn layers_come_in_any_order_and_all_at_once() {
    let test = TestStore::new();
    let (image, blobs) = image();
    let receipt = test.store.receive(image.clone()).unwrap();
    assert_eq!(receipt.missing(), [0, 1, 2]);
    std::thread::scope(|scope| {
        for index in [2, 0, 1] {
            let (receipt, store, blobs) = (&receipt, &test.store, &blobs);
            scope.spawn(move || assert_eq!(bring(receipt, store, blobs, index).unwrap(), blobs[index].len() as u64));
        }
    });
    assert!(test.store.list(&Default::default()).unwrap().is_empty(), "nothing is to be seen before the commit");
    let digest = format!("{REPOSITORY}@{}", Digest::of(&image.manifest));
    let (id, known) =
        receipt.commit(&["docker.io/library/x:1".to_owned()], std::slice::from_ref(&digest), false).unwrap();
    drop(receipt);
    assert!(!known);

    let test = test.reopen();
    let found = test.store.resolve("x:1").unwrap();
    assert_eq!((&found.id, &found.tags), (&id, &vec!["x:1".to_owned()]));
    assert_eq!(found.digests, [digest.replace("docker.io/library/", "")]);
    assert_eq!((found.manifest, found.remote_layers), (image.manifest, image.layers));
    assert_eq!(found.repositories, [REPOSITORY]);
    assert_eq!(test.on_disk().len(), 3);
}

#[test]
fn what_is_there_is_not_missing_and_stays_while_it_is_counted_on() {
    let test = TestStore::new();
    let below = TestImage::new(&[], &[layer("a")]);
    receive(&test, packed(&below, &[gzip]), "below");
    let (image, blobs) = image();
    let receipt = test.store.receive(image).unwrap();
    assert_eq!(receipt.missing(), [1, 2]);
    test.store.remove("x:below", false).unwrap();
    for index in [1, 2] {
        bring(&receipt, &test.store, &blobs, index).unwrap();
    }
    receipt.commit(&["x".to_owned()], &[], false).unwrap();
    assert_eq!(test.store.resolve("x").unwrap().layer_bytes.len(), 3);
    drop(receipt);
    test.store.remove("x", false).unwrap();
    assert!(test.on_disk().is_empty());
}

#[test]
fn a_receipt_that_is_not_committed_leaves_nothing() {
    let test = TestStore::new();
    let (image, blobs) = image();
    let receipt = test.store.receive(image).unwrap();
    bring(&receipt, &test.store, &blobs, 1).unwrap();
    assert_eq!(test.on_disk().len(), 1);
    let incoming = test.store.incoming_image(receipt.name()).unwrap();
    let error = receipt.commit(&["x".to_owned()], &[], false).unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (Kind::Conflict, "layer 0 of the image has not come".to_owned()));
    let name = receipt.name().to_owned();
    drop(receipt);
    assert!(test.on_disk().is_empty());
    assert_eq!(test.store.incoming_image(&name).err().unwrap().kind(), Kind::NotFound);
    // A layer on its way ends with it.
    assert_eq!(incoming.layer(0, blobs[0].as_slice(), |_| ()).unwrap_err().kind(), Kind::Cancelled);
    assert!(test.on_disk().is_empty());
}

#[test]
fn a_layer_that_is_not_what_was_said_is_refused_and_may_come_again() {
    let test = TestStore::new();
    let (mut image, mut blobs) = image();
    // A registry that says the truth about its bytes, which are not the image's.
    blobs[2] = layer("other");
    image.layers[2] =
        RemoteLayer { digest: Digest::of(&blobs[2]), size_bytes: blobs[2].len() as u64, ..image.layers[2].clone() };
    let receipt = test.store.receive(image).unwrap();
    let incoming = test.store.incoming_image(receipt.name()).unwrap();
    let refused = |index, bytes: &[u8]| {
        let error = incoming.layer(index, bytes, |_| ()).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{error}");
        assert!(test.on_disk().is_empty());
        error.to_string()
    };
    assert!(refused(2, &blobs[2]).starts_with("invalid diffID: expected"));
    // The same content, packed differently: the image's, but not what the manifest names.
    assert!(refused(0, &layer("a")[..]).starts_with("read tar"), "more bytes than the manifest says");
    let mut repacked = blobs[0].clone();
    repacked[9] ^= 1;
    let error = refused(0, &repacked);
    assert!(error.starts_with("filesystem layer verification failed for digest sha256:"), "{error}");
    for cut in 0..blobs[1].len() {
        refused(1, &blobs[1][..cut]);
    }
    assert_eq!(incoming.layer(3, &b""[..], |_| ()).unwrap_err().kind(), Kind::NotFound);
    bring(&receipt, &test.store, &blobs, 0).unwrap();
}

/// What may become of a KiB on the way or on a registry's disk.
fn corrupted(blob: &[u8], at: usize) -> [Vec<u8>; 4] {
    let end = (at + 1024).min(blob.len());
    let (mut flipped, mut zeroed) = (blob.to_vec(), blob.to_vec());
    flipped[at] ^= 0xff;
    zeroed[at..end].iter_mut().enumerate().for_each(|(at, byte)| *byte = u8::from(at == 0 && *byte == 0));
    [flipped, zeroed, blob[..at].to_vec(), [&blob[..at], &blob[end..]].concat()]
}

#[test]
fn a_layer_that_is_corrupt_at_any_kib_is_refused_and_nothing_of_it_is_seen() {
    // Noise, so that it is as large when it is packed; with folders and a link, so that not all of it is one file.
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3]
    };
    let mut file = |name| TarEntry::file(name, (0..8 << 10).map(|_| noise()).collect::<Vec<u8>>());
    let layer = tar(&[TarEntry::folder("d/"), file("d/a"), file("d/b"), TarEntry::hard_link("l", "d/a"), file("c")]);
    for (name, pack) in [("tar", <[u8]>::to_vec as Pack), ("gzip", gzip), ("zstd", zstd)] {
        let test = TestStore::new();
        let (sound, blobs) = packed(&TestImage::new(&[], std::slice::from_ref(&layer)), &[pack]);
        let blob = &blobs[0];
        assert!(blob.len() > 24 << 10, "{name} has {} bytes", blob.len());
        for at in (0..blob.len()).step_by(1024) {
            for (how, bytes) in corrupted(blob, at).into_iter().enumerate() {
                // The registry vouches for it: what it says of its bytes is true of these.
                let mut image = sound.clone();
                (image.layers[0].digest, image.layers[0].size_bytes) = (Digest::of(&bytes), bytes.len() as u64);
                let receipt = test.store.receive(image).unwrap();
                let error = bring(&receipt, &test.store, &[bytes], 0).unwrap_err();
                assert_eq!(error.kind(), Kind::Invalid, "{name}, {how} at {at}: {error}");
                assert!(test.on_disk().is_empty(), "{name}, {how} at {at}: something stays");
                receipt.commit(&["x".to_owned()], &[], false).unwrap_err();
                assert!(test.store.list(&Default::default()).unwrap().is_empty(), "{name}, {how} at {at}: it is seen");
            }
        }
        receive(&test, (sound, blobs), "whole");
    }
}

#[test]
fn an_image_that_is_there_is_known_and_gains_names_and_repositories() {
    let test = TestStore::new();
    let (id, known) = receive(&test, image(), "1");
    assert!(!known);
    let (mut again, _) = image();
    again.repository = "host:5000/mirror".to_owned();
    let receipt = test.store.receive(again).unwrap();
    assert!(receipt.missing().is_empty());
    assert_eq!(receipt.commit(&["host:5000/mirror:2".to_owned()], &[], true).unwrap(), (id, true));
    let found = test.store.resolve("x:1").unwrap();
    assert_eq!(found.repositories, [REPOSITORY, "host:5000/mirror"]);
    assert_eq!(found.tags, ["x:1", "host:5000/mirror:2"]);
    // Another manifest has blobs of its own.
    let image = TestImage::new(&[], &[layer("a"), layer("b"), layer("c")]);
    let (mut other, _) = packed(&image, &[zstd, zstd, zstd]);
    other.repository = "host:5000/other".to_owned();
    test.store.receive(other).unwrap().commit(&["x:3".to_owned()], &[], false).unwrap();
    assert_eq!(test.store.resolve("x:3").unwrap().repositories, ["host:5000/other"]);
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_written() {
    let test = TestStore::new();
    let (mut image, _) = image();
    let no_json = IncomingImage { config: b"{".to_vec(), ..image.clone() };
    assert_eq!(test.store.receive(no_json).err().unwrap().kind(), Kind::Invalid);
    let huge = IncomingImage { manifest: vec![0; (4 << 20) + 1], ..image.clone() };
    assert_eq!(test.store.receive(huge).err().unwrap().kind(), Kind::Invalid);
    image.layers[0].size_bytes = u64::MAX;
    assert_eq!(test.store.receive(image.clone()).err().unwrap().kind(), Kind::Full);
    image.layers.pop();
    assert_eq!(test.store.receive(image).err().unwrap().kind(), Kind::Invalid);
    assert!(test.on_disk().is_empty());
}

#[test]
fn names_that_cannot_be_keep_the_image_from_being_committed() {
    let test = TestStore::new();
    let (image, blobs) = image();
    let receipt = test.store.receive(image).unwrap();
    for index in 0..3 {
        bring(&receipt, &test.store, &blobs, index).unwrap();
    }
    for (tags, digests) in [(&["X"][..], &[][..]), (&[], &["x:1"]), (&["x@sha256:00"], &[])] {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(receipt.commit(&owned(tags), &owned(digests), false).unwrap_err().kind(), Kind::Invalid);
    }
    // The receipt is as good as before.
    receipt.commit(&["x".to_owned()], &[], false).unwrap();
}

#[test]
fn a_layer_is_sent_as_it_was_and_compressed_the_same_each_time() {
    let test = TestStore::new();
    let (id, _) = receive(&test, image(), "1");
    let sent = |diff_id: &Digest, compression| {
        let mut out = Vec::new();
        test.store.send_layer(&id, &diff_id.to_string(), compression, &mut out).map(|()| out)
    };
    let plain = layer("b");
    let diff_id = Digest::of(&plain);
    assert_eq!(sent(&diff_id, LayerCompression::None).unwrap(), plain);
    let packed = sent(&diff_id, LayerCompression::Gzip).unwrap();
    assert_eq!(packed, sent(&diff_id, LayerCompression::Gzip).unwrap());
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain);
    assert_eq!(sent(&Digest::of(b"x"), LayerCompression::None).unwrap_err().kind(), Kind::NotFound);
}
