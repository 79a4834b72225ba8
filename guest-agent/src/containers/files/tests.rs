//! Copying in and out, and what must not come of it; changes and their layer.

use std::{
    fs,
    io::Read,
    os::unix::fs::{MetadataExt, symlink},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::fs::{Mode, OFlags};
use tempfile::TempDir;

use super::{
    Destination, FilesError,
    read::{tar, tar_of_all},
    root::Root,
    stat::{absolute, base, stat},
    write::unpack,
};
use crate::images::archives::{TarEntry, gzip, tar as tar_with};

/// A container's root in a folder, beside a folder that is the guest's.
struct Yard {
    folder: TempDir,
    root: Root,
}

impl Yard {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        for name in ["root/etc", "root/tmp", "guest"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("root/etc/passwd"), "root:x:0:0::/root:/bin/sh\nu:x:7:8::/:/bin/sh\n").unwrap();
        fs::write(folder.path().join("guest/secret"), "secret").unwrap();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(folder.path().join("root"), flags, Mode::empty()).unwrap();
        Self { root: Root::new(root).unwrap(), folder }
    }

    fn at(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join("root").join(path)
    }

    fn guest(&self) -> String {
        self.folder.path().join("guest").to_str().unwrap().to_owned()
    }

    fn tar(&self, path: &str) -> Result<Vec<(String, String)>, FilesError> {
        let mut out = Vec::new();
        tar(&self.root, path, &mut out)?;
        Ok(entries(&out))
    }

    /// Unpacks as whoever runs the test.
    fn unpack(&self, path: &str, entries: &[TarEntry], keep_kinds: bool) -> Result<(), String> {
        self.unpack_bytes(path, &tar_with(entries), keep_kinds)
    }

    fn unpack_bytes(&self, path: &str, tar: &[u8], keep_kinds: bool) -> Result<(), String> {
        let to = Destination { path: path.to_owned(), keep_kinds, owned_by_user: false };
        let me = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let unpacked = unpack(&self.root, &to, Some(me), false, tar).map_err(|error| crate::containers::chain(&error));
        assert_eq!(fs::read_dir(self.guest()).unwrap().count(), 1, "nothing of the guest was touched");
        assert_eq!(fs::read_to_string(format!("{}/secret", self.guest())).unwrap(), "secret");
        unpacked
    }
}

/// Names with their content or link.
fn entries(bytes: &[u8]) -> Vec<(String, String)> {
    let mut archive = tar::Archive::new(bytes);
    let mut all = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let link = entry.link_name_bytes().map(|link| format!("-> {}", String::from_utf8_lossy(&link)));
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        all.push((name, link.unwrap_or(content)));
    }
    all
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn paths_are_read_as_dockerd_reads_them() {
    for (path, whole, name) in [
        ("/etc/passwd", "/etc/passwd", "passwd"),
        ("etc", "/etc", "etc"),
        ("/etc/", "/etc/", "etc"),
        ("/etc/.", "/etc/.", "."),
        ("/", "/", "/"),
        ("/.", "/.", "."),
        (".", "/.", "."),
        ("../../a//b/../c", "/a/c", "c"),
    ] {
        assert_eq!(absolute(path).unwrap(), whole, "{path}");
        assert_eq!(base(&absolute(path).unwrap()), name, "{path}");
    }
    assert_eq!(absolute("").unwrap_err().to_string(), "bad parameter: pathcannot be empty");
}

#[test]
fn a_tar_is_named_by_the_last_part_of_the_path() {
    let yard = Yard::new();
    fs::write(yard.at("tmp/f"), "content").unwrap();
    symlink("f", yard.at("tmp/l")).unwrap();
    fs::hard_link(yard.at("tmp/f"), yard.at("tmp/g")).unwrap();
    let content = |prefix: &str| {
        let own = if prefix == "." { "./".to_owned() } else { format!("{prefix}/") };
        let f = format!("{prefix}/f");
        vec![
            (own, String::new()),
            (f.clone(), "content".to_owned()),
            (format!("{prefix}/g"), format!("-> {f}")),
            (format!("{prefix}/l"), "-> f".to_owned()),
        ]
    };
    for (path, prefix) in [("/tmp", "tmp"), ("tmp/", "tmp"), ("/tmp/.", ".")] {
        assert_eq!(yard.tar(path).unwrap(), content(prefix), "{path}");
    }
    assert_eq!(yard.tar("/tmp/f").unwrap(), pairs(&[("f", "content")]));
    assert_eq!(yard.tar("/tmp/l").unwrap(), pairs(&[("l", "-> f")]));
    assert_eq!(yard.tar("/").unwrap()[..3], pairs(&[("/", ""), ("/etc/", ""), ("/etc/passwd", &passwd(&yard))]));
    let mut export = Vec::new();
    tar_of_all(&yard.root, &mut export).unwrap();
    assert_eq!(entries(&export)[..2], pairs(&[("etc/", ""), ("etc/passwd", &passwd(&yard))]));
    assert!(matches!(yard.tar("/nothing"), Err(FilesError::NotFound { .. })));
}

fn passwd(yard: &Yard) -> String {
    fs::read_to_string(yard.at("etc/passwd")).unwrap()
}

#[test]
fn links_are_told_with_where_they_lead_in_the_end() {
    let yard = Yard::new();
    symlink("/etc/passwd", yard.at("tmp/a")).unwrap();
    symlink("../../../tmp/a", yard.at("tmp/b")).unwrap();
    symlink(yard.guest(), yard.at("tmp/out")).unwrap();
    symlink("loop", yard.at("tmp/loop")).unwrap();
    let target = |path: &str| stat(&yard.root, path).map(|stat| stat.link_target);
    assert_eq!(target("/tmp/a").unwrap(), "/etc/passwd");
    assert_eq!(target("/tmp/b").unwrap(), "/etc/passwd");
    assert_eq!(target("/etc/passwd").unwrap(), "");
    // What is not there is named all the same: a path of the container.
    assert_eq!(target("/tmp/out").unwrap(), yard.guest());
    assert!(matches!(target("/tmp/loop"), Err(FilesError::Io { .. })));
    assert!(matches!(target("/tmp/out/secret"), Err(FilesError::NotFound { .. })));
    assert!(matches!(yard.tar("/tmp/out/."), Err(FilesError::NotFound { .. })));
}

#[test]
fn a_tar_replaces_what_is_there_and_merges_folders() {
    let yard = Yard::new();
    fs::create_dir(yard.at("tmp/d")).unwrap();
    fs::write(yard.at("tmp/d/old"), "old").unwrap();
    fs::write(yard.at("tmp/f"), "old").unwrap();
    let tar = [
        TarEntry::folder("d/").mode(0o700),
        TarEntry::file("d/new", "new").mode(0o4711),
        TarEntry::file("f", "new"),
        TarEntry::symlink("l", "../f"),
        TarEntry::hard_link("h", "f"),
        TarEntry::file("made/on/the/way", "x"),
        // A whiteout is a name like any other here.
        TarEntry::file(".wh.old", "w"),
    ];
    for archive in [tar_with(&tar), gzip(&tar_with(&tar))] {
        yard.unpack_bytes("/tmp", &archive, true).unwrap();
        let read = |path: &str| fs::read_to_string(yard.at(path)).unwrap();
        assert_eq!(
            ["tmp/d/old", "tmp/d/new", "tmp/f", "tmp/h", "tmp/made/on/the/way", "tmp/.wh.old"].map(read),
            ["old", "new", "new", "new", "x", "w"]
        );
        assert_eq!(fs::metadata(yard.at("tmp/d/new")).unwrap().mode() & 0o7777, 0o4711);
        assert_eq!(fs::metadata(yard.at("tmp/d")).unwrap().mode() & 0o7777, 0o700);
        assert_eq!(fs::metadata(yard.at("tmp/d")).unwrap().mtime(), 1_700_000_000);
        assert_eq!(fs::metadata(yard.at("tmp/h")).unwrap().nlink(), 2);
    }
}

#[test]
fn kinds_are_kept_when_asked_for() {
    let yard = Yard::new();
    fs::write(yard.at("tmp/f"), "").unwrap();
    let error = yard.unpack("/", &[TarEntry::file("etc", "x")], true).unwrap_err();
    assert_eq!(error, "cannot overwrite directory \"etc\" with non-directory \"/\"");
    let error = yard.unpack("/tmp", &[TarEntry::folder("f/")], true).unwrap_err();
    assert_eq!(error, "cannot overwrite non-directory \"f\" with directory \"/tmp\"");
    yard.unpack("/", &[TarEntry::file("etc", "x")], false).unwrap();
    assert!(yard.at("etc").is_file());
}

#[test]
fn what_cannot_be_unpacked_into_is_refused_in_dockerds_words() {
    let yard = Yard::new();
    assert_eq!(yard.unpack("/etc/passwd", &[], false).unwrap_err(), "extraction point is not a directory");
    assert!(yard.unpack("/none", &[], false).unwrap_err().starts_with("Could not find the file /none in container"));
    assert_eq!(yard.unpack_bytes("/etc", b"junkjunkjunk", false).unwrap_err(), "unexpected EOF");
    let to = Destination { path: "/tmp".to_owned(), ..Destination::default() };
    let error = unpack(&yard.root, &to, None, true, &[][..]).unwrap_err();
    assert_eq!(error.to_string(), "container rootfs is marked read-only");
}

#[test]
fn no_name_of_a_tar_leads_out_of_the_container() {
    let yard = Yard::new();
    let guest = yard.guest();
    symlink(&guest, yard.at("tmp/out")).unwrap();
    symlink("../../../../../../../../../..", yard.at("tmp/up")).unwrap();
    for entries in [
        vec![TarEntry::file("out/secret", "evil")],
        vec![TarEntry::file(format!("up{guest}/secret"), "evil")],
        vec![TarEntry::symlink("tmp/in", &guest), TarEntry::file("tmp/in/secret", "evil")],
        vec![TarEntry::file(format!("{guest}/secret"), "evil")],
        vec![TarEntry::folder("out/new/").mode(0o777)],
    ] {
        yard.unpack("/tmp", &entries, false).unwrap();
    }
    for entries in [
        vec![TarEntry::file("../../x", "evil")],
        vec![TarEntry::hard_link("h", "../../guest/secret")],
        vec![TarEntry::hard_link("h", "out/nothing")],
    ] {
        yard.unpack("/tmp", &entries, false).unwrap_err();
    }
    // A path of the destination that is a link leads within the container too: the tree of the link's words is there now.
    yard.unpack("/tmp/out", &[TarEntry::file("inside", "x")], false).unwrap();
    assert!(yard.at(&guest[1..]).join("inside").is_file());
}

/// CVE-2018-15664: a program of the container exchanges a folder for a link to the guest's files, again and again.
#[test]
fn a_link_that_comes_and_goes_is_no_way_out() {
    let yard = Yard::new();
    let (place, aside) = (yard.at("tmp/race"), yard.at("tmp/aside"));
    fs::create_dir(&place).unwrap();
    fs::write(place.join("secret"), "inside").unwrap();
    symlink(yard.guest(), &aside).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let exchange = |a: &Path, b: &Path| {
                let flags = rustix::fs::RenameFlags::EXCHANGE;
                rustix::fs::renameat_with(rustix::fs::CWD, a, rustix::fs::CWD, b, flags).unwrap();
            };
            while !done.load(Ordering::Relaxed) {
                exchange(&place, &aside);
            }
        });
        for _ in 0..300 {
            for path in ["/tmp/race/secret", "/tmp/race/.", "/tmp/race", "/tmp"] {
                for (_, content) in yard.tar(path).unwrap_or_default() {
                    assert_ne!(content, "secret", "{path}");
                }
            }
            // It may fail, or land in either of the container's own places.
            let _either = yard.unpack("/tmp/race", &[TarEntry::file("secret", "inside")], false);
            let _either = yard.unpack("/", &[TarEntry::file("tmp/race/new/er", "x")], false);
        }
        done.store(true, Ordering::Relaxed);
    });
}

/// A writable layer beside the layers below it, with the attribute that any user may set.
fn layers(upper: &[(&str, &str)], below: &[(&str, &str)]) -> (TempDir, super::changes::Layers) {
    let folder = TempDir::new().unwrap();
    for (root, files) in [("upper", upper), ("below", below)] {
        fs::create_dir(folder.path().join(root)).unwrap();
        for (path, content) in files {
            let path = folder.path().join(root).join(path);
            match *content {
                "folder" => fs::create_dir(&path).unwrap(),
                "gone" => {
                    let (kind, mode) = (rustix::fs::FileType::CharacterDevice, Mode::empty());
                    rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).unwrap();
                }
                "opaque" => {
                    fs::create_dir(&path).unwrap();
                    let flags = rustix::fs::XattrFlags::empty();
                    rustix::fs::setxattr(&path, "user.overlay.opaque", b"y", flags).unwrap();
                }
                content => fs::write(&path, content).unwrap(),
            }
        }
        // Folders are as old as each other, whatever was made in them.
        for (path, _) in files.iter().filter(|(_, content)| ["folder", "opaque"].contains(content)) {
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
            fs::File::open(folder.path().join(root).join(path)).unwrap().set_modified(time).unwrap();
        }
    }
    let open = |name: &str| {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(folder.path().join(name), flags, Mode::empty()).unwrap()
    };
    let layers = super::changes::Layers { upper: open("upper"), below: open("below"), opaque: "user.overlay.opaque" };
    (folder, layers)
}

fn lines(layers: &super::changes::Layers) -> Vec<String> {
    let changes = layers.changes().unwrap();
    let letter = |kind| match kind {
        super::ChangeKind::Modified => "C",
        super::ChangeKind::Added => "A",
        super::ChangeKind::Deleted => "D",
    };
    changes.iter().map(|change| format!("{} {}", letter(change.kind), String::from_utf8_lossy(&change.path))).collect()
}

#[test]
fn changes_are_those_that_dockerd_lists() {
    let below = [
        ("etc", "folder"),
        ("etc/passwd", "old"),
        ("etc/group", "old"),
        ("home", "folder"),
        ("same", "folder"),
        ("same/deep", "folder"),
        ("same/deep/f", "old"),
        ("emptied", "folder"),
        ("emptied/a", "old"),
        ("emptied/kept", "old"),
        ("was-folder", "folder"),
    ];
    let upper = [
        ("etc", "folder"),
        ("etc/hosts", ""),
        ("etc/hostname", ""),
        ("etc/group", "gone"),
        ("etc/never-was", "gone"),
        ("etc/new", "new"),
        ("dev", "folder"),
        ("dev/pts", "folder"),
        ("home", "folder"),
        ("same", "folder"),
        ("same/deep", "folder"),
        ("same/deep/f", "new"),
        ("emptied", "opaque"),
        ("emptied/kept", "new"),
        ("vol", "folder"),
        ("was-folder", "a file now"),
    ];
    let (folder, layers) = layers(&upper, &below);
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder.path().join("upper/home"), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(
        lines(&layers),
        [
            "C emptied",
            "D emptied/a",
            "C emptied/kept",
            "C etc",
            "D etc/group",
            "A etc/new",
            "C home",
            "C same",
            "C same/deep",
            "C same/deep/f",
            "A vol",
            "C was-folder",
        ]
    );
}

#[test]
fn what_the_engine_mounts_on_is_no_change() {
    let (_folder, layers) = layers(
        &[("etc", "folder"), ("etc/hosts", ""), ("dev", "folder"), ("dev/shm", "folder"), ("proc", "folder")],
        &[("etc", "folder")],
    );
    fs::File::open(_folder.path().join("upper/etc")).unwrap().set_modified(std::time::SystemTime::now()).unwrap();
    assert_eq!(lines(&layers), [""; 0]);
}

#[test]
fn a_layer_of_changes_has_whiteouts_and_the_folders_above() {
    let (_folder, layers) = layers(
        &[
            ("a", "folder"),
            ("a/b", "folder"),
            ("a/b/f", "new"),
            ("a/gone", "gone"),
            ("o", "opaque"),
            ("o/new", "new"),
            ("gone", "gone"),
        ],
        &[
            ("a", "folder"),
            ("a/b", "folder"),
            ("a/b/f", "old"),
            ("a/gone", "old"),
            ("o", "folder"),
            ("o/old", "old"),
            ("gone", "old"),
        ],
    );
    let mut out = Vec::new();
    super::commit::layer(&layers, &layers.changes().unwrap(), &mut out).unwrap();
    assert_eq!(
        entries(&out),
        pairs(&[
            ("a/", ""),
            ("a/b/", ""),
            ("a/b/f", "new"),
            ("a/.wh.gone", ""),
            (".wh.gone", ""),
            ("o/", ""),
            ("o/.wh..wh..opq", ""),
            ("o/new", "new"),
        ])
    );
}
