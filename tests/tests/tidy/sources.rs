//! How files begin, what they may be called and what they may not say.

use std::fs;

use crate::{files, none, root, rust_files};

/// Words that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] = ["util", "utils", "common", "helper", "helpers", "misc", "manager", "service"];

/// `coved machine` is called the helper process throughout; its folder and its tests are named after it.
const NAMED_AFTER_A_TERM: &[&str] = &["app/daemon/src/helper", "app/daemon/tests/helper"];

/// Lines of a file above which it should have been split.
const MOST_LINES: usize = 600;

#[test]
fn every_module_says_what_it_owns() {
    let silent: Vec<String> = rust_files()
        .into_iter()
        .filter(|(_, text)| {
            // A crate of one platform says so before anything else.
            let first = text.lines().find(|line| !line.starts_with("#![cfg(") && !line.trim().is_empty());
            !first.is_some_and(|line| line.starts_with("//!"))
        })
        .map(|(path, _)| path)
        .collect();
    none(&silent, "a Rust file opens with //!: what it owns, and what it leaves to whom:");
}

#[test]
fn names_say_what_is_inside() {
    let mut empty = Vec::new();
    for path in files() {
        for part in path.split('/') {
            let stem = part.split('.').next().unwrap_or(part);
            let said = stem.split(['_', '-']).any(|word| EMPTY_NAMES.contains(&word));
            if said && !NAMED_AFTER_A_TERM.iter().any(|place| path.starts_with(place)) {
                empty.push(path.clone());
            }
        }
    }
    none(&empty, "these names would fit any file; name what it provides:");
}

#[test]
fn files_are_short_enough_to_read() {
    let long: Vec<String> = rust_files()
        .into_iter()
        .map(|(path, text)| (text.lines().count(), path))
        .filter(|(lines, _)| *lines > MOST_LINES)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    none(&long, "a file of that length has more than one subject:");
}

#[test]
fn nothing_points_at_the_place_where_it_was_written() {
    // Spelt in halves, or this file would be the first to say them.
    let places = [["/wo", "rk/"], ["/tmp", "/bg"]].map(|halves| halves.concat());
    let mut said = Vec::new();
    for path in files().into_iter().filter(|path| path != "Cargo.lock") {
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        for (number, line) in text.lines().enumerate() {
            if places.iter().any(|place| line.contains(place.as_str())) {
                said.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    none(&said, "paths of one person's machine do not belong here:");
}

#[test]
fn nothing_is_left_to_do() {
    let marks = [["TO", "DO"], ["FIX", "ME"], ["XX", "X:"]].map(|halves| halves.concat());
    let mut left = Vec::new();
    for (path, text) in rust_files() {
        for (number, line) in text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark.as_str())) || line.trim() == concat!("#[ig", "nore]") {
                left.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    none(&left, "what is not done is an issue, not a remark; a test that is switched off is no test:");
}
