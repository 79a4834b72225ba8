//! Evil tars: each is refused or confined, and a canary beside the layer is never touched.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{BuildResult, Limits, Privilege, Replay, TREE, build};
use crate::images::archives::{TarEntry, gzip, tar};
use crate::images::digest::{Digest, HashingReader};

/// A folder with a canary and a layer that is unpacked beside it.
pub(super) struct Yard {
    folder: TempDir,
}

impl Yard {
    pub(super) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("outside")).unwrap();
        fs::write(folder.path().join("outside/canary"), "alive").unwrap();
        fs::set_permissions(folder.path().join("outside/canary"), fs::Permissions::from_mode(0o600)).unwrap();
        Self { folder }
    }

    pub(super) fn outside(&self) -> String {
        self.folder.path().join("outside").to_str().unwrap().to_owned()
    }

    pub(super) fn root(&self) -> PathBuf {
        self.folder.path().join("layer").join(TREE)
    }

    pub(super) fn unpack(&self, archive: &[u8]) -> BuildResult {
        self.unpack_as(archive, Privilege::None)
    }

    fn unpack_as(&self, archive: &[u8], privilege: Privilege) -> BuildResult {
        let limits = Limits { reserved_bytes: 0, entries: 1000, layer_bytes: 4 << 20, ..Limits::default() };
        let result = build(archive, &self.folder.path().join("layer"), None, privilege, &limits);
        let mut outside: Vec<_> = fs::read_dir(self.outside()).unwrap().map(|e| e.unwrap().file_name()).collect();
        outside.sort();
        assert_eq!(outside, ["canary"]);
        let canary = self.folder.path().join("outside/canary");
        assert_eq!(fs::read_to_string(&canary).unwrap(), "alive");
        let facts = fs::metadata(&canary).unwrap();
        assert_eq!((facts.mode() & 0o7777, facts.nlink()), (0o600, 1));
        if let Ok(built) = &result {
            assert_eq!(self.replayed(), built.diff_id, "the tar can be made again");
        }
        result
    }

    fn replayed(&self) -> Digest {
        let layer = self.folder.path().join("layer");
        let mut replay = HashingReader::new(Replay::open(&layer).unwrap());
        std::io::copy(&mut replay, &mut std::io::sink()).unwrap();
        replay.finish().0
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap()
    }
}

/// Refused, with an error that says this.
pub(super) fn refused(entries: &[TarEntry], words: &str) {
    let yard = Yard::new();
    let error = yard.unpack(&tar(entries)).unwrap_err();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    assert!(text.contains(words), "{text}");
    assert_eq!(error.kind(), crate::images::Kind::Invalid, "{text}");
}

#[test]
fn paths_that_lead_above_the_root_are_refused() {
    refused(&[TarEntry::file("../outside/canary", "dead")], "leads outside of the root");
    refused(&[TarEntry::file("a/../../outside/x", "dead")], "leads outside of the root");
    refused(&[TarEntry::folder("..")], "leads outside of the root");
    refused(&[TarEntry::file("ok", "").pax("path", "../../x")], "leads outside of the root");
    refused(&[TarEntry::symlink("../x", "y")], "leads outside of the root");
}

#[test]
fn absolute_paths_are_below_the_root() {
    let yard = Yard::new();
    let evil = format!("{}/canary", yard.outside());
    yard.unpack(&tar(&[TarEntry::file(&evil, "dead"), TarEntry::file("/etc/x", "1")])).unwrap();
    assert_eq!(yard.read(&evil[1..]), "dead");
    assert_eq!(yard.read("etc/x"), "1");
}

#[test]
fn writing_through_an_absolute_symbolic_link_stays_below_the_root() {
    let yard = Yard::new();
    let outside = yard.outside();
    let entries = [TarEntry::symlink("d", &outside), TarEntry::folder(&outside), TarEntry::file("d/canary", "dead")];
    yard.unpack(&tar(&entries)).unwrap();
    assert_eq!(yard.read(&format!("{}/canary", &outside[1..])), "dead");
}

#[test]
fn writing_through_a_dangling_symbolic_link_is_refused() {
    let yard = Yard::new();
    let entries = [TarEntry::symlink("d", yard.outside()), TarEntry::file("d/canary", "dead")];
    assert!(yard.unpack(&tar(&entries)).is_err());
    refused(&[TarEntry::symlink("d", "../../outside"), TarEntry::file("d/x", "dead")], "open the folder of");
    refused(&[TarEntry::symlink("d", "d"), TarEntry::file("d/x", "dead")], "open the folder of");
}

#[test]
fn writing_through_a_relative_symbolic_link_stays_below_the_root() {
    let yard = Yard::new();
    let entries = [
        TarEntry::folder("outside"),
        TarEntry::folder("a"),
        TarEntry::symlink("a/d", "../../../../outside"),
        TarEntry::file("a/d/new/canary", "dead"),
    ];
    yard.unpack(&tar(&entries)).unwrap();
    assert_eq!(yard.read("outside/new/canary"), "dead");
}

#[test]
fn a_file_over_a_symbolic_link_replaces_the_link() {
    let yard = Yard::new();
    let target = format!("{}/canary", yard.outside());
    yard.unpack(&tar(&[TarEntry::symlink("x", target), TarEntry::file("x", "new").mode(0o777)])).unwrap();
    assert_eq!(yard.read("x"), "new");
    assert!(fs::symlink_metadata(yard.root().join("x")).unwrap().is_file());
}

#[test]
fn a_folder_over_a_symbolic_link_does_not_change_what_it_points_to() {
    let yard = Yard::new();
    let entries =
        [TarEntry::symlink("x", yard.outside()), TarEntry::folder("x").mode(0o777), TarEntry::file("x/a", "1")];
    yard.unpack(&tar(&entries)).unwrap();
    assert!(fs::symlink_metadata(yard.root().join("x")).unwrap().is_dir());
    assert_eq!(yard.read("x/a"), "1");
}

#[test]
fn a_folder_that_is_replaced_by_a_link_is_not_used_any_more() {
    let yard = Yard::new();
    let entries = [
        TarEntry::folder("d"),
        TarEntry::file("d/a", "1"),
        TarEntry::folder("e"),
        TarEntry::symlink("d", "e"),
        TarEntry::file("d/b", "2"),
    ];
    yard.unpack(&tar(&entries)).unwrap();
    assert_eq!(yard.read("e/b"), "2");
    assert!(!yard.root().join("e/a").exists());
}

#[test]
fn hard_links_reach_files_of_the_layer_only() {
    let canary = format!("{}/canary", Yard::new().outside());
    refused(&[TarEntry::hard_link("x", &canary)], "invalid hardlink");
    refused(&[TarEntry::hard_link("x", "../outside/canary")], "leads outside of the root");
    refused(&[TarEntry::hard_link("x", "missing")], "invalid hardlink");
    refused(&[TarEntry::folder("d"), TarEntry::hard_link("x", "d")], "invalid hardlink");
    refused(&[TarEntry::hard_link("x", "")], "invalid hardlink");
    let yard = Yard::new();
    let through = [TarEntry::symlink("d", yard.outside()), TarEntry::hard_link("x", "d/canary")];
    assert!(yard.unpack(&tar(&through)).is_err());
}

#[test]
fn a_hard_link_to_a_symbolic_link_links_the_link() {
    let yard = Yard::new();
    let canary = format!("{}/canary", yard.outside());
    let entries = [TarEntry::symlink("s", &canary), TarEntry::hard_link("h", "s"), TarEntry::file("h", "new")];
    yard.unpack(&tar(&entries)).unwrap();
    assert_eq!(fs::read_link(yard.root().join("s")).unwrap(), Path::new(&canary));
    assert_eq!(yard.read("h"), "new");
}

#[test]
fn hard_links_share_their_file() {
    let yard = Yard::new();
    let entries = [TarEntry::file("a/f", "data"), TarEntry::hard_link("b", "/a/f"), TarEntry::hard_link("c", "./a/f")];
    yard.unpack(&tar(&entries)).unwrap();
    let inode = |path: &str| fs::metadata(yard.root().join(path)).unwrap().ino();
    assert_eq!(inode("a/f"), inode("b"));
    assert_eq!(inode("a/f"), inode("c"));
}

#[test]
fn a_file_as_a_folder_is_refused() {
    refused(&[TarEntry::file("f", "x"), TarEntry::file("f/g", "y")], "open the folder of");
    refused(&[TarEntry::new(b'6', "p"), TarEntry::file("p/g", "y")], "open the folder of");
}

#[test]
fn the_root_is_a_folder() {
    refused(&[TarEntry::file(".", "x")], "the root of the layer is not a folder");
    refused(&[TarEntry::symlink("/", "/etc")], "the root of the layer is not a folder");
    refused(&[TarEntry::symlink("a/..", "/etc")], "the root of the layer is not a folder");
    let yard = Yard::new();
    yard.unpack(&tar(&[TarEntry::folder("./").mode(0o711)])).unwrap();
    assert_eq!(fs::metadata(yard.root()).unwrap().mode() & 0o7777, 0o711);
}

#[test]
fn long_names_come_by_gnu_and_by_pax() {
    let yard = Yard::new();
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(255));
    let other = format!("{}/{}", "e".repeat(150), "g".repeat(150));
    let entries = [TarEntry::file(&long, "1"), TarEntry::file("short", "2").pax("path", &other)];
    yard.unpack(&tar(&entries)).unwrap();
    assert_eq!(yard.read(&long), "1");
    assert_eq!(yard.read(&other), "2");
    refused(&[TarEntry::file("f".repeat(256), "")], "file name too long");
    refused(&[TarEntry::file("a/".repeat(2100), "")], "file name too long");
}

#[test]
fn names_are_bytes() {
    use std::os::unix::ffi::OsStrExt;
    let yard = Yard::new();
    yard.unpack(&tar(&[TarEntry::file(b"\xff\xfe\n", "1"), TarEntry::symlink("s", b"\xff")])).unwrap();
    let name = std::ffi::OsStr::from_bytes(b"\xff\xfe\n");
    assert_eq!(fs::read(yard.root().join(name)).unwrap(), b"1");
}

#[test]
fn a_size_in_pax_rules_over_the_header() {
    // A reader that believed the header would take the data for entries.
    let hidden = tar(&[TarEntry::file("smuggled", "x")]);
    let size = hidden.len().to_string();
    let yard = Yard::new();
    yard.unpack(&tar(&[TarEntry::file("f", &hidden).header_size(0).pax("size", size), TarEntry::file("g", "y")]))
        .unwrap();
    assert_eq!(fs::read(yard.root().join("f")).unwrap(), hidden);
    assert_eq!(yard.read("g"), "y");
    assert!(!yard.root().join("smuggled").exists());
}

#[test]
fn sizes_beyond_what_octal_digits_say_are_read_and_bounded() {
    // 9 GiB in base 256, as GNU tar writes it, and in a record, as Go does: more than the tests' limit of a layer.
    let mut by_gnu = tar(&[TarEntry::file("huge", "x").header_size(9 << 30)]);
    let by_pax = tar(&[TarEntry::file("huge", "x").header_size(0).pax("size", (9_u64 << 30).to_string())]);
    assert_eq!(by_gnu[124] & 0x80, 0x80);
    for archive in [&by_gnu, &by_pax] {
        let error = Yard::new().unpack(archive).unwrap_err();
        assert_eq!(error.to_string(), "unexpected EOF");
    }
    by_gnu.resize(5 << 20, 0);
    let error = Yard::new().unpack(&by_gnu).unwrap_err();
    assert_eq!(error.to_string(), "the tar has more than 4194304 bytes");
}

#[test]
fn what_readers_of_tar_disagree_about_is_refused() {
    refused(&[TarEntry::folder("d").header_size(512)], "invalid tar header");
    refused(&[TarEntry::symlink("s", "t").pax("size", "512")], "invalid tar header");
    refused(&[TarEntry::hard_link("h", "t").header_size(1)], "invalid tar header");
    refused(&[TarEntry::file("f", "").pax("size", "-1")], "bad number");
    refused(&[TarEntry::file("f", "").pax("size", "99999999999999999999")], "bad number");
    let twice = [TarEntry::new(b'x', "1"), TarEntry::file("f", "").pax("path", "g")];
    refused(&twice, "two for one entry");
    let global = [TarEntry::file("pax", "10 path=a\n").kind(b'g'), TarEntry::file("f", "")];
    refused(&global, "global path, linkpath or size");
}

#[test]
fn unknown_entries_are_refused() {
    refused(&[TarEntry::new(b'V', "label")], "unhandled tar header type 'V'");
    refused(&[TarEntry::new(b'Z', "what")], "unhandled tar header type 'Z'");
}

#[test]
fn damage_is_noticed() {
    let good = tar(&[TarEntry::file("a", [7; 3000]), TarEntry::file("b", "x")]);
    let mut bad = good.clone();
    bad[0] ^= 1;
    assert!(Yard::new().unpack(&bad).is_err());
    for length in [100, 512, 700, 3583, 3584 + 100] {
        assert!(Yard::new().unpack(&good[..length]).is_err(), "{length}");
    }
    assert!(Yard::new().unpack(b"this is not a tar, and it is longer than nothing").is_err());
    let packed = gzip(&good);
    for at in [3, 12, packed.len() / 2, packed.len() - 6, packed.len() - 1] {
        let mut bad = packed.clone();
        bad[at] ^= 0x55;
        assert!(at == 3 || Yard::new().unpack(&bad).is_err(), "{at}");
        assert!(Yard::new().unpack(&packed[..at]).is_err(), "{at}");
    }
}

#[test]
fn bombs_are_bounded() {
    let zeros = tar(&[TarEntry::file("zeros", vec![0; 5 << 20])]);
    let error = Yard::new().unpack(&gzip(&zeros)).unwrap_err();
    assert_eq!(error.to_string(), "the tar has more than 4194304 bytes");
    let many: Vec<_> = (0..1001).map(|n| TarEntry::file(format!("f{n}"), "")).collect();
    assert_eq!(Yard::new().unpack(&tar(&many)).unwrap_err().to_string(), "the layer has more than 1000 entries");
    refused(&[TarEntry::file("f", "").pax("comment", vec![b'x'; 2 << 20])], "too large");
    let deep = "d/".repeat(1500);
    Yard::new().unpack(&tar(&[TarEntry::folder(deep)])).unwrap();
}

#[test]
fn overlayfs_attributes_of_an_archive_are_dropped_and_others_kept() {
    let yard = Yard::new();
    let entry = TarEntry::file("f", "x")
        .pax("SCHILY.xattr.user.mine", b"a\n=b\0")
        .pax("SCHILY.xattr.user.overlay.redirect", "/etc")
        .pax("SCHILY.xattr.trusted.overlay.metacopy", "y");
    yard.unpack(&tar(&[entry])).unwrap();
    let path = yard.root().join("f");
    let mut value = [0; 64];
    let count = rustix::fs::getxattr(&path, "user.mine", &mut value[..]).unwrap();
    assert_eq!(&value[..count], b"a\n=b\0");
    for name in ["user.overlay.redirect", "trusted.overlay.metacopy"] {
        assert!(rustix::fs::getxattr(&path, name, &mut value[..]).is_err());
    }
}

#[test]
fn permissions_and_times_are_those_of_the_archive() {
    let yard = Yard::new();
    let entries = [
        TarEntry::folder("d").mode(0o1777).mtime(1000),
        TarEntry::file("d/f", "x").mode(0o4755).pax("mtime", "1234.5"),
        TarEntry::symlink("d/s", "f").mtime(77),
        TarEntry::folder("implied/x"),
    ];
    yard.unpack(&tar(&entries)).unwrap();
    let facts = |path: &str| {
        let facts = fs::symlink_metadata(yard.root().join(path)).unwrap();
        (facts.mode() & 0o7777, facts.mtime(), facts.mtime_nsec())
    };
    assert_eq!(facts("d"), (0o1777, 1000, 0));
    assert_eq!(facts("d/f"), (0o4755, 1234, 500_000_000));
    assert_eq!(facts("d/s").1, 77);
    assert_eq!(facts("implied").0, 0o755);
}

const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

#[test]
fn root_makes_owners_and_devices_as_in_the_archive() {
    assert!(rustix::process::geteuid().is_root(), "this test makes devices and gives files away: run it as root");
    let yard = Yard::new();
    let entries = [
        TarEntry::folder("d").owner(1000, 1001).mode(0o2775),
        // cap_net_bind_service=ep, as file(1) of a distribution has it: it must survive the owner being set.
        TarEntry::file("d/f", "x").owner(12, 34).mode(0o6755).pax("SCHILY.xattr.security.capability", CAPABILITY),
        TarEntry::symlink("d/s", "/etc/shadow").owner(56, 78),
        TarEntry::new(b'3', "d/null").device(1, 3).mode(0o666),
        TarEntry::new(b'4', "d/loop").device(7, 0).mode(0o660).owner(0, 6),
        TarEntry::new(b'6', "d/pipe").mode(0o622),
        TarEntry::whiteout("d/.wh.gone"),
        TarEntry::whiteout("d/.wh..wh..opq"),
    ];
    yard.unpack_as(&tar(&entries), Privilege::Full).unwrap();
    let facts = |path: &str| fs::symlink_metadata(yard.root().join(path)).unwrap();
    let owner = |path: &str| (facts(path).uid(), facts(path).gid(), facts(path).mode() & 0o7777);
    assert_eq!(owner("d"), (1000, 1001, 0o2775));
    assert_eq!(owner("d/f"), (12, 34, 0o6755));
    let mut capability = [0; 64];
    let length = rustix::fs::getxattr(yard.root().join("d/f"), "security.capability", &mut capability[..]).unwrap();
    assert_eq!(&capability[..length], CAPABILITY);
    assert_eq!((facts("d/s").uid(), facts("d/s").gid()), (56, 78));
    assert_eq!((facts("d/null").rdev(), owner("d/null").2), (rustix::fs::makedev(1, 3), 0o666));
    assert_eq!((facts("d/loop").rdev(), owner("d/loop")), (rustix::fs::makedev(7, 0), (0, 6, 0o660)));
    assert_eq!(facts("d/pipe").mode(), 0o010_622);
    assert_eq!((facts("d/gone").rdev(), facts("d/gone").mode() & 0o170_000), (0, 0o020_000));
    let mut value = [0; 4];
    assert_eq!(rustix::fs::getxattr(yard.root().join("d"), "trusted.overlay.opaque", &mut value[..]).unwrap(), 1);
}

#[test]
fn a_layer_that_overwrites_its_own_files_can_be_made_again() {
    let yard = Yard::new();
    let entries = [
        TarEntry::file("f", "first"),
        TarEntry::file("d/g", "in a folder"),
        TarEntry::file("f", "second, longer"),
        TarEntry::file("d", "a file now"),
    ];
    // `unpack` proves that the record gives the same tar.
    yard.unpack(&gzip(&tar(&entries))).unwrap();
    assert_eq!(yard.read("f"), "second, longer");
    assert_eq!(yard.read("d"), "a file now");
}

#[test]
fn the_tar_crate_reads_the_same_entries() {
    let smuggled = tar(&[TarEntry::file("smuggled", "x")]);
    let archive = tar(&[
        TarEntry::folder("d/"),
        TarEntry::file("d/f", [1; 1000]),
        TarEntry::file("f", &smuggled).header_size(0).pax("size", smuggled.len().to_string()),
        TarEntry::file("short", "2").pax("path", "p".repeat(300)),
        TarEntry::file("n".repeat(250), "3"),
        TarEntry::symlink("s", "t".repeat(200)),
        TarEntry::hard_link("h", "ignored").pax("linkpath", "d/f"),
        TarEntry::new(b'g', "global"),
        TarEntry::new(b'3', "null").device(1, 3),
        TarEntry::file("last", [2; 512]),
    ]);
    let mut theirs = Vec::new();
    for entry in tar::Archive::new(archive.as_slice()).entries().unwrap() {
        let entry = entry.unwrap();
        if entry.header().entry_type() != tar::EntryType::XGlobalHeader {
            let link = entry.link_name_bytes().map(std::borrow::Cow::into_owned).unwrap_or_default();
            theirs.push((entry.path_bytes().into_owned(), link, entry.size()));
        }
    }
    let mut ours = Vec::new();
    let mut tape = super::Tape::new(archive.as_slice(), u64::MAX, None);
    while let Some(entry) = tape.next_entry().unwrap() {
        ours.push((entry.path, entry.link, entry.size));
    }
    assert_eq!(ours.len(), 9);
    assert_eq!(ours, theirs);
}
