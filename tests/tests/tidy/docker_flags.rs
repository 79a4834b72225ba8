//! docs/docker-flags.md: a row for every flag that docker lists, and none without a word.

use std::{collections::BTreeSet, fs, process::Command};

use crate::{named_tests::tests_in, none, root};

/// A row of a table.
struct Row {
    command: String,
    flag: String,
    how: String,
    why: String,
}

fn rows() -> Vec<Row> {
    let text = fs::read_to_string(root().join("docs/docker-flags.md")).unwrap();
    let (mut command, mut rows) = (String::new(), Vec::new());
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## docker ") {
            heading.clone_into(&mut command);
        }
        let Some(cells) = line.strip_prefix("| `--").and_then(|line| line.strip_suffix(" |")) else { continue };
        let mut cells = cells.splitn(3, " | ").map(str::to_owned);
        let mut cell = || cells.next().unwrap_or_default();
        let (flag, how, why) = (cell().trim_end_matches('`').to_owned(), cell(), cell());
        rows.push(Row { command: command.clone(), flag, how, why });
    }
    assert!(rows.len() > 200, "only {} rows were found", rows.len());
    rows
}

#[test]
fn every_flag_says_how_it_is_and_why() {
    let silent: Vec<String> = rows()
        .iter()
        .filter(|row| match row.how.as_str() {
            "works" | "refused" => tests_in(&row.why).is_empty(),
            "not applicable" | "not yet" => row.why.trim().is_empty(),
            _ => true,
        })
        .map(|row| format!("docker {} --{}: {} | {}", row.command, row.flag, row.how, row.why))
        .collect();
    none(&silent, "a flag works or is refused by a test, or is not applicable or not there yet for a reason:");
}

#[test]
fn the_rows_are_the_flags_that_docker_lists() {
    // Where there is no docker of that version, there is nothing to compare with.
    let version = Command::new("docker").arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    if !version.starts_with("Docker version 28.") {
        return;
    }
    let rows = rows();
    let mut differences = Vec::new();
    let commands =
        ["run", "create", "exec", "update", "start", "stop", "logs", "stats", "pull", "push", "login", "search"];
    for command in commands {
        let help = Command::new("docker").args([command, "--help"]).output().unwrap();
        let listed = listed(&String::from_utf8_lossy(&help.stdout));
        let of_command = rows.iter().filter(|row| row.command == command);
        let ours: BTreeSet<String> = of_command.map(|row| row.flag.clone()).collect();
        differences.extend(listed.difference(&ours).map(|flag| format!("docker {command} --{flag} has no row")));
        differences.extend(ours.difference(&listed).map(|flag| format!("docker {command} has no --{flag}")));
    }
    none(&differences, "docs/docker-flags.md has other flags than docker:");
}

/// The flags of a help text: "  -a, --attach list   Attach ...".
fn listed(help: &str) -> BTreeSet<String> {
    let flag = |line: &str| {
        let line = line.strip_prefix(' ')?.trim_start();
        let (_, rest) = line.split_once("--").filter(|(before, _)| before.len() <= 4)?;
        Some(rest.split([' ', '\t']).next()?.to_owned())
    };
    help.lines().filter_map(flag).collect()
}
