//! Whiteouts, against a model: what a stack of layers shows must not depend on the order of entries in a layer, and must
//! be what the specification says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use tempfile::TempDir;

use super::{Limits, Privilege, TREE, build};
use crate::images::archives::{TarEntry, tar};

/// What is to be seen: path → content, `None` for a folder.
type Shown = BTreeMap<String, Option<String>>;

fn unpack(entries: &[TarEntry]) -> Result<TempDir, super::LayerError> {
    let folder = TempDir::new().unwrap();
    let archive = tar(entries);
    let limits = Limits { reserved_bytes: 0, ..Limits::default() };
    build(archive.as_slice(), &folder.path().join("layer"), None, Privilege::None, &limits)?;
    Ok(folder)
}

/// Lays a layer over what is shown so far, by overlayfs's rules.
fn lay(shown: &mut Shown, root: &Path, at: &str) {
    let opaque = rustix::fs::getxattr(root, "user.overlay.opaque", &mut [0; 4][..]).is_ok();
    if opaque {
        shown.retain(|path, _| !path.starts_with(&format!("{at}/")));
    }
    for entry in fs::read_dir(root).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{at}/{}", entry.file_name().to_string_lossy());
        let facts = fs::symlink_metadata(entry.path()).unwrap();
        let hide_below = |shown: &mut Shown| shown.retain(|other, _| !other.starts_with(&format!("{path}/")));
        if facts.file_type().is_char_device() && facts.rdev() == 0 {
            shown.remove(&path);
            hide_below(shown);
        } else if facts.is_dir() {
            if shown.insert(path.clone(), None).is_some_and(|before| before.is_some()) {
                hide_below(shown);
            }
            lay(shown, &entry.path(), &path);
        } else {
            hide_below(shown);
            shown.insert(path, Some(fs::read_to_string(entry.path()).unwrap()));
        }
    }
}

fn stack(layers: &[&[TarEntry]]) -> Shown {
    let mut shown = Shown::new();
    for layer in layers {
        let folder = unpack(layer).unwrap();
        lay(&mut shown, &folder.path().join("layer").join(TREE), "");
    }
    shown
}

/// A generator of numbers that needs no seed from outside: the same cases each time.
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What one layer does to one name: hides it, and then perhaps makes it.
#[derive(Clone, Default)]
struct Deeds {
    hidden: BTreeSet<String>,
    opaque: BTreeSet<String>,
    made: BTreeMap<String, Option<String>>,
}

fn deeds(numbers: &mut Numbers, label: u64) -> Deeds {
    let mut deeds = Deeds::default();
    for folder in ["a", "b"] {
        match numbers.below(6) {
            0 => {
                deeds.hidden.insert(folder.to_owned());
            }
            1 => {
                deeds.made.insert(folder.to_owned(), Some(format!("file {label}")));
                continue;
            }
            2 => {
                deeds.opaque.insert(folder.to_owned());
                deeds.made.insert(folder.to_owned(), None);
            }
            3 => continue,
            _ => {}
        }
        for name in ["x", "y"] {
            let path = format!("{folder}/{name}");
            match numbers.below(4) {
                0 => {
                    deeds.made.insert(path, Some(format!("{name} {label}")));
                    deeds.made.insert(folder.to_owned(), None);
                }
                1 if !deeds.hidden.contains(folder) => {
                    deeds.hidden.insert(path);
                    deeds.made.insert(folder.to_owned(), None);
                }
                _ => {}
            }
        }
    }
    deeds
}

impl Deeds {
    /// The specification: whiteouts hide what is below, then the layer's own entries appear.
    fn apply(&self, shown: &mut Shown) {
        for path in &self.hidden {
            shown.retain(|other, _| other != &format!("/{path}") && !other.starts_with(&format!("/{path}/")));
        }
        for path in &self.opaque {
            shown.retain(|other, _| !other.starts_with(&format!("/{path}/")));
        }
        for (path, content) in &self.made {
            let path = format!("/{path}");
            let folder_over_folder = content.is_none() && shown.get(&path) == Some(&None);
            if !folder_over_folder {
                shown.retain(|other, _| !other.starts_with(&format!("{path}/")));
            }
            shown.insert(path, content.clone());
        }
    }

    /// Its entries in some order in which folders come before what is in them, or are left to be implied.
    fn entries(&self, numbers: &mut Numbers) -> Vec<TarEntry> {
        let mut entries = Vec::new();
        for path in &self.hidden {
            let (folder, name) = path.rsplit_once('/').map_or(("", path.as_str()), |(f, n)| (f, n));
            entries.push(TarEntry::whiteout(format!("{folder}/.wh.{name}")));
        }
        entries.extend(self.opaque.iter().map(|path| TarEntry::whiteout(format!("{path}/.wh..wh..opq"))));
        for (path, content) in &self.made {
            entries.push(match content {
                Some(content) => TarEntry::file(path, content),
                None => TarEntry::folder(path),
            });
        }
        for last in (1..entries.len()).rev() {
            let other = usize::try_from(numbers.below(last as u64 + 1)).unwrap();
            entries.swap(last, other);
        }
        entries
    }
}

#[test]
fn any_order_of_entries_shows_what_the_specification_says() {
    let mut numbers = Numbers(1);
    for case in 0..60 {
        let layers: Vec<Deeds> = (0..3).map(|layer| deeds(&mut numbers, layer)).collect();
        let mut expected = Shown::new();
        layers.iter().for_each(|layer| layer.apply(&mut expected));
        for _ in 0..2 {
            let tars: Vec<Vec<TarEntry>> = layers.iter().map(|layer| layer.entries(&mut numbers)).collect();
            let tars: Vec<&[TarEntry]> = tars.iter().map(Vec::as_slice).collect();
            assert_eq!(stack(&tars), expected, "case {case}");
        }
    }
}

#[test]
fn malformed_whiteouts_are_refused() {
    for name in [".wh.", ".wh..", ".wh...", "d/.wh.", "d/.wh...", ".wh.d/f", "a/.wh.b/.wh.c"] {
        assert!(unpack(&[TarEntry::whiteout(name)]).is_err(), "{name}");
    }
}

#[test]
fn bookkeeping_of_aufs_is_passed_over() {
    let entries = [
        TarEntry::file(".wh..wh.plnk", "ignored"),
        TarEntry::folder(".wh..wh.orph"),
        TarEntry::file(".wh..wh.aufs", "x"),
        TarEntry::file("a", "kept"),
    ];
    assert_eq!(stack(&[&entries]), Shown::from([("/a".to_owned(), Some("kept".to_owned()))]));
}

#[test]
fn a_whiteout_through_a_symbolic_link_stays_in_the_layer() {
    let outside = TempDir::new().unwrap();
    fs::write(outside.path().join("x"), "alive").unwrap();
    let target = outside.path().to_str().unwrap();
    assert!(unpack(&[TarEntry::symlink("d", target), TarEntry::whiteout("d/.wh.x")]).is_err());
    let folder =
        unpack(&[TarEntry::symlink("d", target), TarEntry::folder(target), TarEntry::whiteout("d/.wh.x")]).unwrap();
    let inside = folder.path().join("layer").join(TREE).join(&target[1..]).join("x");
    assert!(fs::symlink_metadata(inside).unwrap().file_type().is_char_device());
    assert_eq!(fs::read_to_string(outside.path().join("x")).unwrap(), "alive");
}
