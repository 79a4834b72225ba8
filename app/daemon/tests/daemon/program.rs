//! `coved` as a program: its exit codes and what it leaves.
#![cfg(target_os = "linux")]

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use cove_platform::home::Home;

struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already where the test is about its end.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn coved(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coved"));
    command.arg("--home").arg(home).env("COVE_VM_IMAGE", home.join("no-image")).env_remove("COVE_LOG");
    command.stderr(Stdio::piped());
    command
}

/// Starts it and waits until it says that it serves.
fn serving(home: &Path) -> (Program, BufReader<std::process::ChildStderr>) {
    let mut child = coved(home).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let program = Program(child);
    let mut line = String::new();
    while !line.contains("serving") {
        line.clear();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "coved ended before it served");
    }
    (program, log)
}

#[test]
fn a_second_coved_says_who_the_first_is_and_exits_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let (first, _log) = serving(folder.path());
    let second = coved(folder.path()).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(said, format!("coved is already running (pid {})\n", first.0.id()));
}

#[test]
fn sigterm_ends_it_in_order_and_kill_9_does_not_stand_in_the_way_of_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::find(Some(folder.path().to_owned())).unwrap();
    let (mut killed, _log) = serving(folder.path());
    killed.0.kill().unwrap();
    killed.0.wait().unwrap();
    assert!(home.engine_endpoint().path().exists(), "kill -9 leaves the socket");

    let (mut next, _log) = serving(folder.path());
    let told = Command::new("kill").arg(next.0.id().to_string()).status().unwrap();
    assert!(told.success());
    assert_eq!(next.0.wait().unwrap().code(), Some(0));
    assert!(!home.engine_endpoint().path().exists() && !home.docker_endpoint().path().exists());
}

#[test]
fn a_home_too_deep_for_a_socket_is_refused_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("x".repeat(120));
    let refused = coved(&deep).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("bytes, the system allows 107; set COVE_HOME to a shorter folder"), "{said}");
    assert!(!deep.exists());
}
