//! Runs docker-py's own tests against Cove: `make yardstick`. Their code is not ours and not in this repository; the script
//! that calls this has fetched it.
//!
//! The tests that are expected to pass stand in tests/yardstick/expected.txt, one name a line. One of them that fails is a
//! failure; one that passes and is not there is said, so that it can be added.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail, ensure};
use cove_tests::{command::Done, image, world::World};

/// The image that docker-py's tests run. What they need of it, busybox has.
const IMAGE: &str = "alpine:3.10";

/// The files of tests that are about containers, execs and volumes.
const FILES: [&str; 6] = [
    "tests/integration/api_container_test.py",
    "tests/integration/api_exec_test.py",
    "tests/integration/api_healthcheck_test.py",
    "tests/integration/api_volume_test.py",
    "tests/integration/models_containers_test.py",
    "tests/integration/models_volumes_test.py",
];

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // With standard error gone there is nobody left to tell.
            let _ = writeln!(io::stderr(), "yardstick: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Says whether all that is expected to pass has passed.
fn run() -> Result<bool> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [python, tests, expected] = &arguments[..] else {
        bail!("usage: yardstick PYTHON FOLDER-OF-DOCKER-PY EXPECTED");
    };
    let expected = fs::read_to_string(expected).with_context(|| format!("read {}", expected.display()))?;
    let expected: BTreeSet<&str> = expected.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let world = World::running()?;
    let root = image::root_tar(&[])?;
    let config = serde_json::json!({ "Cmd": ["/bin/sh"], "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"] });
    world.docker_with(&["load"], &image::docker_archive(IMAGE, &root, config)?).and_then(Done::ok)?;
    for name in ["alpine:latest", "busybox:latest"] {
        world.docker(&["tag", IMAGE, name])?.ok()?;
    }

    let mut pytest = world.command(python);
    pytest.current_dir(tests).args([
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-q",
        "-rA",
        "--tb=line",
        "--timeout=90",
    ]);
    let output = pytest.args(FILES).output().with_context(|| format!("start {}", python.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let verdicts = verdicts(&said);
    ensure!(!verdicts.is_empty(), "pytest ran nothing:\n{said}\n{}", String::from_utf8_lossy(&output.stderr));
    report(&verdicts, &expected)
}

/// The verdict of each test: "PASSED tests/integration/x_test.py::Class::name - why".
fn verdicts(said: &str) -> BTreeMap<&str, &str> {
    let verdict = |line: &'_ str| -> Option<(usize, usize)> {
        let verdict =
            ["PASSED", "FAILED", "ERROR", "XFAIL", "XPASS"].into_iter().find(|word| line.starts_with(word))?;
        let rest = line[verdict.len()..].strip_prefix(' ')?;
        let name = rest.split(" - ").next()?.trim_end();
        name.contains("::").then_some((verdict.len(), name.len()))
    };
    said.lines()
        .filter_map(|line| {
            let (verdict, name) = verdict(line)?;
            Some((&line[verdict + 1..verdict + 1 + name], &line[..verdict]))
        })
        .collect()
}

fn report(verdicts: &BTreeMap<&str, &str>, expected: &BTreeSet<&str>) -> Result<bool> {
    let mut out = io::stdout().lock();
    let mut lost = 0;
    for (name, verdict) in verdicts {
        let note = match (*verdict == "PASSED", expected.contains(name)) {
            (true, true) | (false, false) => "",
            (true, false) => "  (not expected: add it)",
            (false, true) => "  (expected to pass)",
        };
        writeln!(out, "{verdict:<7} {name}{note}")?;
    }
    for name in expected {
        if verdicts.get(name) != Some(&"PASSED") {
            lost += 1;
            writeln!(out, "lost: {name}")?;
        }
    }
    let passed = verdicts.values().filter(|verdict| **verdict == "PASSED").count();
    writeln!(out, "{passed} of {} pass; {lost} of {} that are expected to do not", verdicts.len(), expected.len())?;
    Ok(lost == 0)
}
