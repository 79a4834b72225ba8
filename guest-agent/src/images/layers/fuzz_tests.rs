//! Archives that went wrong by chance: a corpus of sound ones, of every kind of entry and compression, changed at random
//! places. Whatever comes of it, nothing outside of the layer is touched, nothing panics, and what is taken can be made
//! again to the byte ([`Yard::unpack`] proves all of it). The same cases each time; `COVE_TEST_FUZZ=100000` tries more.

use super::hostile_tests::Yard;
use super::whiteout_tests::Numbers;
use crate::images::Kind;
use crate::images::archives::{TarEntry, gzip, tar, zstd};

/// How many archives are tried where nothing else is said.
const CASES: u64 = 400;

fn corpus(yard: &Yard) -> Vec<Vec<u8>> {
    let plain = tar(&[
        TarEntry::folder("d/"),
        TarEntry::file("d/f", [1; 700]),
        TarEntry::symlink("d/s", yard.outside()),
        TarEntry::hard_link("h", "d/f"),
        TarEntry::symlink("in", "/d"),
        TarEntry::file("in/canary", "through a link"),
        TarEntry::file("d/f", "again"),
    ]);
    let extended = tar(&[
        TarEntry::file("n".repeat(250), "3"),
        TarEntry::symlink("s", "t".repeat(200)),
        TarEntry::file("short", "2").pax("path", "p/".repeat(20) + "f").pax("mtime", "-1.5"),
        TarEntry::file("x", "y").header_size(0).pax("size", "1").pax("SCHILY.xattr.user.a", b"\0\n"),
        TarEntry::new(b'g', "global"),
    ]);
    let whiteouts = tar(&[
        TarEntry::whiteout("a/.wh.b"),
        TarEntry::whiteout("a/.wh..wh..opq"),
        TarEntry::file("a/b", "b"),
        TarEntry::new(b'6', "fifo"),
        TarEntry::symlink("up", "../../a"),
        TarEntry::whiteout("up/.wh.canary"),
    ]);
    let holes = tar(&[
        TarEntry::file("old", [1; 700]).holes(9000, &[(512, 512), (8000, 188)]),
        TarEntry::file("new", [b"2\n0\n512\n4096\n5\n".to_vec(), vec![0; 497], vec![2; 517]].concat())
            .pax("GNU.sparse.major", "1")
            .pax("GNU.sparse.minor", "0")
            .pax("GNU.sparse.realsize", "5000"),
    ]);
    let packed = [gzip(&plain), zstd(&extended), [gzip(&plain[..512]), gzip(&plain[512..])].concat()];
    [plain, extended, whiteouts, holes].into_iter().chain(packed).collect()
}

/// Changes an archive in one place or two.
fn change(archive: &mut Vec<u8>, corpus: &[Vec<u8>], numbers: &mut Numbers) {
    let below = |numbers: &mut Numbers, bound: usize| usize::try_from(numbers.below(bound.max(1) as u64)).unwrap();
    for _ in 0..=numbers.below(6) / 4 {
        let at = below(numbers, archive.len());
        match numbers.below(7) {
            0 => archive.truncate(at),
            1 | 2 if !archive.is_empty() => {
                archive[at] ^= 1 << numbers.below(8);
                // Noise alone seldom gets past a checksum.
                checksum(archive, at / 512 * 512);
            }
            3 => {
                // A piece of another archive, at a border of blocks.
                let other = &corpus[below(numbers, corpus.len())];
                let from = below(numbers, other.len()) / 512 * 512;
                let piece: Vec<u8> = other[from..].iter().take(512 * (1 + below(numbers, 4))).copied().collect();
                let at = at / 512 * 512;
                archive.splice(at..at, piece);
            }
            4 => {
                let end = (at + 512 * (1 + below(numbers, 3))).min(archive.len());
                archive.drain(at..end);
            }
            _ => header(archive, at / 512 * 512, numbers),
        }
    }
}

/// A field of a header, with a checksum that is right again.
fn header(archive: &mut [u8], at: usize, numbers: &mut Numbers) {
    let Some(block) = archive.get_mut(at..at + 512) else { return };
    let words: [&[u8]; 11] = [
        b"..",
        b"/",
        b"../outside/canary",
        b"7777777",
        b"0000644",
        b"\x80\xff\xff",
        b"5",
        b"1",
        b"name\0",
        b".wh..wh.",
        b"-1",
    ];
    let fields = [0, 100, 108, 116, 124, 136, 156, 157, 257, 329, 345];
    let field = fields[usize::try_from(numbers.below(fields.len() as u64)).unwrap()];
    let word = words[usize::try_from(numbers.below(words.len() as u64)).unwrap()];
    let room = &mut block[field..(field + word.len()).min(512)];
    let length = room.len();
    room.copy_from_slice(&word[..length]);
    checksum(archive, at);
}

/// Makes the checksum of a header right, if there is one.
fn checksum(archive: &mut [u8], at: usize) {
    let Some(block) = archive.get_mut(at..at + 512).filter(|block| block[257..262] == *b"ustar") else { return };
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

#[test]
fn archives_that_went_wrong_harm_nothing() {
    let cases = std::env::var("COVE_TEST_FUZZ").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    let mut numbers = Numbers::new(5);
    for sound in corpus(&Yard::new()) {
        Yard::new().unpack(&sound).unwrap();
    }
    let (mut taken, mut refused) = (0, 0);
    for case in 0..cases {
        let yard = Yard::new();
        let corpus = corpus(&yard);
        let mut archive = corpus[usize::try_from(case).unwrap() % corpus.len()].clone();
        change(&mut archive, &corpus, &mut numbers);
        match yard.unpack(&archive) {
            Ok(_) => taken += 1,
            Err(error) => {
                assert_eq!(error.kind(), Kind::Invalid, "case {case}: {}", crate::containers::chain(&error));
                refused += 1;
            }
        }
    }
    assert!(taken > cases / 20 && refused > cases / 5, "{taken} taken, {refused} refused: the changes are no test");
}
