//! bollard's integration tests, run by cargo. They pull what they run from a registry.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result};
use cove_tests::{command, registry::Registry, world::World};

use crate::{Verdicts, output};

/// A file of an image: path, text, mode.
pub(crate) type TextFile = (&'static str, &'static str, u32);

/// What the tests pull: name, and files beside busybox's.
pub(crate) const IMAGES: [(&str, &[TextFile]); 3] = [
    ("alpine:latest", &[("etc/alpine-release", "3.10.9\n", 0o644)]),
    ("hello-world:linux", &[("hello", "#!/bin/sh\necho\necho 'Hello from Docker!'\n", 0o755)]),
    (
        "fussybeaver/uhttpd:latest",
        &[
            ("usr/sbin/run_uhttpd", "#!/bin/sh\nexec httpd \"$@\"\n", 0o755),
            ("etc/config/uhttpd", "\nconfig uhttpd main\n", 0o644),
            ("www/index.html", "uhttpd\n", 0o644),
        ],
    ),
];

/// The files of tests that are about one engine.
const FILES: [&str; 7] =
    ["container_test", "distribution", "exec_test", "image_test", "network_test", "system_test", "volume_test"];

/// Builds and runs the tests in bollard's folder, each alone: they share names of containers.
pub(crate) fn run(world: &World, registry: &Registry, folder: &Path) -> Result<Verdicts> {
    let mut verdicts = Verdicts::new();
    for file in FILES {
        let program = build(file, folder)?;
        let mut list = Command::new(&program);
        list.args(["--list", "--format=terse"]);
        for name in output(list, folder)?.lines().filter_map(|line| line.strip_suffix(": test")) {
            let mut test = world.command(&program);
            test.current_dir(folder)
                .args(["--exact", name])
                .env("REGISTRY_HTTP_ADDR", &registry.address)
                // Sent in any case, to a registry that does not ask.
                .env("REGISTRY_PASSWORD", "none");
            // One that does not end in time has failed, as one that says so.
            let passed = command::run(test, &[]).is_ok_and(|done| done.code() == 0);
            verdicts.insert(format!("{file}::{name}"), passed);
        }
    }
    Ok(verdicts)
}

/// The program of a file of tests.
fn build(file: &str, folder: &Path) -> Result<String> {
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "--quiet", "--no-run", "--message-format=json", "--test", file]);
    let said = output(cargo, folder)?;
    let mut artifacts = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let artifact = artifacts.find(|artifact| artifact["target"]["name"] == file && artifact["executable"].is_string());
    let program = artifact.and_then(|artifact| artifact["executable"].as_str().map(str::to_owned));
    program.with_context(|| format!("cargo made no program of bollard's {file}"))
}
