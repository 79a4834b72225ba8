//! Files with holes: each form makes the same file, holes take no room, and what does not fit is refused.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::hostile_tests::{Yard, refused};
use crate::images::archives::{TarEntry, tar};

const SIZE: u64 = 3 << 20;
const RUNS: [(u64, u64); 3] = [(0, 512), (1 << 20, 1024), (SIZE - 7, 7)];

fn data() -> Vec<u8> {
    (0..1543_u32).map(|n| n.to_le_bytes()[0] | 1).collect()
}

fn content() -> Vec<u8> {
    let (mut content, data) = (vec![0; SIZE as usize], data());
    let mut from = 0;
    for (at, bytes) in RUNS.map(|(at, bytes)| (at as usize, bytes as usize)) {
        content[at..at + bytes].copy_from_slice(&data[from..from + bytes]);
        from += bytes;
    }
    content
}

fn pax(name: &str, words: &[(&str, &str)], data: Vec<u8>) -> TarEntry {
    words.iter().fold(TarEntry::file(name, data), |entry, (key, value)| entry.pax(format!("GNU.sparse.{key}"), value))
}

fn before_data(map: &str, data: &[u8]) -> Vec<u8> {
    let mut all = map.as_bytes().to_vec();
    all.resize(all.len().next_multiple_of(512), 0);
    all.extend_from_slice(data);
    all
}

fn lines() -> String {
    let numbers: Vec<String> = RUNS.iter().map(|(at, bytes)| format!("{at}\n{bytes}\n")).collect();
    format!("{}\n{}", RUNS.len(), numbers.concat())
}

#[test]
fn every_form_makes_the_same_file_and_the_same_tar_again() {
    let (size, map) = (SIZE.to_string(), RUNS.map(|(at, bytes)| format!("{at},{bytes}")).join(","));
    let new = [("major", "1"), ("minor", "0"), ("name", "f"), ("realsize", &size)];
    for entry in [
        TarEntry::file("f", data()).holes(SIZE, &RUNS),
        pax("GNUSparseFile.1/f", &new, before_data(&lines(), &data())),
        pax("other", &[("name", "f"), ("size", &size), ("numblocks", "3"), ("map", &map)], data()),
    ] {
        let yard = Yard::new();
        let built = yard.unpack(&tar(&[entry, TarEntry::file("after", "x")])).unwrap();
        assert!(fs::read(yard.root().join("f")).unwrap() == content(), "another file");
        assert_eq!(fs::read_to_string(yard.root().join("after")).unwrap(), "x");
        assert_eq!(built.content_bytes, SIZE + 1);
        let blocks = fs::metadata(yard.root().join("f")).unwrap().blocks();
        assert!(blocks <= 64, "the holes take room: {blocks} blocks");
    }
}

#[test]
fn a_file_may_be_one_hole_or_have_many_runs() {
    let many: Vec<(u64, u64)> = (0..100).map(|n| (n * 2048, 512)).collect();
    let yard = Yard::new();
    let entries = [
        TarEntry::file("hole", "").holes(SIZE, &[]),
        TarEntry::file("many", [7; 51_200]).holes(SIZE, &many),
        TarEntry::file("empty", "").holes(0, &[]),
    ];
    yard.unpack(&tar(&entries)).unwrap();
    assert!(fs::read(yard.root().join("hole")).unwrap() == vec![0; SIZE as usize]);
    let found = fs::read(yard.root().join("many")).unwrap();
    assert!(found.iter().enumerate().all(|(at, byte)| *byte == if at < 204_288 && at % 2048 < 512 { 7 } else { 0 }));
    assert_eq!(fs::metadata(yard.root().join("empty")).unwrap().len(), 0);
}

#[test]
fn what_does_not_fit_is_refused() {
    for runs in [&[(512, 512), (0, 512)][..], &[(0, 512), (256, 512)], &[(0, 700), (1024, 324)], &[(4000, 1024)]] {
        refused(&[TarEntry::file("f", [1; 1024]).holes(4096, runs)], "sparse");
    }
    for (bytes, size) in [(511, 4096), (513, 4096), (512, 100)] {
        refused(&[TarEntry::file("f", vec![1; bytes]).holes(size, &[(0, 512)])], "sparse");
    }
    // More than a layer may have, in a file that takes no room.
    refused(&[TarEntry::file("f", "").holes(1 << 32, &[])], "the tar has more than");
    let new = |words: &[(&str, &str)], map: &str| {
        let all = [&[("major", "1"), ("minor", "0")], words].concat();
        refused(&[pax("f", &all, before_data(map, &[1; 512]))], "sparse");
    };
    new(&[], "1\n0\n512\n");
    new(&[("realsize", "512"), ("map", "0,512")], "1\n0\n512\n");
    for map in ["", "x\n", "1\n0\n", "2\n0\n512\n", "1\n0\n999999999999999999999\n", "99999999\n", "1\n-1\n512\n"] {
        new(&[("realsize", "512")], map);
    }
    for words in [&[("major", "2"), ("minor", "0")][..], &[("major", "1")], &[("offset", "0")], &[("realsize", "5")]] {
        refused(&[pax("f", words, vec![1; 512])], "sparse");
    }
    let link = TarEntry::symlink("f", "x").pax("GNU.sparse.map", "0,1").pax("GNU.sparse.size", "1");
    refused(&[link], "sparse");
    let global = [TarEntry::file("pax", "21 GNU.sparse.size=1\n").kind(b'g'), TarEntry::file("f", "")];
    refused(&global, "global path, linkpath or size");
}
