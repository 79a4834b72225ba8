//! Which crate may use which: dependencies point one way (ARCHITECTURE.md has the picture).

use std::{collections::BTreeMap, fs};

use crate::{files, none, root};

/// Every crate of the workspace and the crates of the workspace that it may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("cove-proto", &[]),
    ("cove-names", &[]),
    ("cove-platform", &[]),
    ("cove-registry", &["cove-names"]),
    ("cove-machine", &[]),
    ("cove-shares", &[]),
    ("cove-gateway", &["cove-proto"]),
    ("cove-hypervisor-apple", &["cove-machine"]),
    ("cove-hypervisor-qemu", &["cove-machine"]),
    ("cove-hypervisor-windows", &["cove-machine"]),
    ("cove-docker-api", &["cove-proto"]),
    ("cove-client", &["cove-platform", "cove-proto"]),
    ("cove-cli", &["cove-client", "cove-platform", "cove-proto"]),
    ("cove-desktop", &["cove-client", "cove-platform", "cove-proto"]),
    // The composition root: the only crate that knows all the others.
    (
        "cove-daemon",
        &[
            "cove-docker-api",
            "cove-gateway",
            "cove-hypervisor-apple",
            "cove-hypervisor-qemu",
            "cove-hypervisor-windows",
            "cove-machine",
            "cove-names",
            "cove-platform",
            "cove-proto",
            "cove-registry",
            "cove-shares",
        ],
    ),
    ("cove-guest", &["cove-names", "cove-proto"]),
    ("cove-vm-image", &[]),
    ("cove-hello", &[]),
    // Treats all of the above as black boxes.
    ("cove-tests", &[]),
];

#[test]
fn crates_depend_in_one_direction() {
    let mut violations = Vec::new();
    for (name, manifest) in crates() {
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
            violations.push(format!("{name} is not in the table of tests/tests/tidy/dependencies.rs"));
            continue;
        };
        for used in workspace_dependencies(&manifest) {
            if !allowed.contains(&used.as_str()) {
                violations.push(format!("{name} uses {used}"));
            }
        }
    }
    none(&violations, "dependencies point one way; the table says which a crate may use:");
}

#[test]
fn versions_are_written_in_the_workspace_only() {
    let mut violations = Vec::new();
    for (name, manifest) in crates() {
        for (table, key, value) in dependencies(&manifest) {
            if value.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                violations.push(format!("{name}: [{table}] {key} does not say workspace = true"));
            }
        }
    }
    none(&violations, "a dependency's version and its reason are in Cargo.toml at the top, once:");
}

#[test]
fn every_external_dependency_says_why_it_is_here() {
    let text = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let section = text.split("[workspace.dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let lines: Vec<&str> =
        section.lines().filter(|line| line.contains('=') && !line.trim_start().starts_with('#')).collect();
    assert!(lines.len() > 30, "the section was not understood: {} lines", lines.len());
    let silent: Vec<String> = lines
        .iter()
        .filter(|line| !line.contains("path = "))
        .filter(|line| line.rsplit_once(" # ").is_none_or(|(_, reason)| reason.trim().len() < 5))
        .map(|line| (*line).to_owned())
        .collect();
    none(&silent, "each dependency has its reason behind it, on the same line:");
}

/// Name and manifest of each crate.
fn crates() -> BTreeMap<String, toml::Table> {
    let crates: BTreeMap<_, _> = files()
        .into_iter()
        .filter(|path| path.ends_with("/Cargo.toml"))
        .map(|path| {
            let manifest: toml::Table = fs::read_to_string(root().join(&path)).unwrap().parse().unwrap();
            (manifest["package"]["name"].as_str().unwrap().to_owned(), manifest)
        })
        .collect();
    assert!(crates.len() >= ALLOWED.len(), "only {} crates were found", crates.len());
    crates
}

fn workspace_dependencies(manifest: &toml::Table) -> Vec<String> {
    dependencies(manifest).into_iter().map(|(_, name, _)| name).filter(|name| name.starts_with("cove-")).collect()
}

/// Table, name and value of each dependency, of every kind and for every target.
fn dependencies(manifest: &toml::Table) -> Vec<(String, String, toml::Value)> {
    let mut tables = vec![(String::new(), manifest)];
    if let Some(targets) = manifest.get("target").and_then(toml::Value::as_table) {
        tables.extend(targets.iter().filter_map(|(name, table)| Some((format!("target.{name}."), table.as_table()?))));
    }
    let mut found = Vec::new();
    for (prefix, table) in tables {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(entries) = table.get(kind).and_then(toml::Value::as_table) else { continue };
            found.extend(entries.iter().map(|(name, value)| (format!("{prefix}{kind}"), name.clone(), value.clone())));
        }
    }
    found
}
