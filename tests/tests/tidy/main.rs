//! Rules of the repository that no compiler holds. Each test says which file breaks which rule, and why the rule is.
//!
//! * `dependencies` — which crate may use which.
//! * `docker_flags` — the table of docker's flags.
//! * `named_tests` — the tests that documents name.
//! * `platforms` — where code may differ between operating systems, and where it may be unsafe.
//! * `sources` — how files begin, what they may be called and what they may not say.

#![expect(clippy::unwrap_used, reason = "all of this file is a test")]

mod dependencies;
mod docker_flags;
mod named_tests;
mod platforms;
mod sources;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The top of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Paths, from the top, of all files that are or could be committed.
fn files() -> Vec<String> {
    let list = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(list.status.success(), "git ls-files: {}", String::from_utf8_lossy(&list.stderr));
    let list = String::from_utf8(list.stdout).unwrap();
    let files: Vec<String> = list.lines().filter(|path| root().join(path).is_file()).map(str::to_owned).collect();
    assert!(files.len() > 40, "only {} files were found: is this the top of the repository?", files.len());
    files
}

/// Our Rust files and what is in them; generated code excepted.
fn rust_files() -> Vec<(String, String)> {
    files()
        .into_iter()
        .filter(|path| path.ends_with(".rs") && !path.contains("/generated/"))
        .map(|path| {
            let text = fs::read_to_string(root().join(&path)).unwrap();
            (path, text)
        })
        .collect()
}

/// Fails with all violations at once.
fn none(violations: &[String], why: &str) {
    assert!(violations.is_empty(), "{why}\n  {}", violations.join("\n  "));
}
