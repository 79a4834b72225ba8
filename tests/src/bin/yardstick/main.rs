//! Runs the tests of other projects' clients against Cove: `make yardstick`. Their code is not ours and not in this
//! repository; the script that calls this has fetched it.
//!
//! * [`docker_py`], [`bollard`] — how the tests of each are run, and what they need.
//! * [`expectations`] — which tests pass against a real dockerd, and which of them not against Cove, for what reason.
//!
//! With COVE_TEST_DOCKERD, the socket of a dockerd, they run against that: so the lists are made.

mod bollard;
mod docker_py;
mod expectations;

use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail, ensure};
use cove_tests::{
    command::{self, Done},
    image,
    registry::Registry,
    world::World,
};
use expectations::Expectations;

/// Whether each test that ran has passed, by its name.
type Verdicts = BTreeMap<String, bool>;

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
    let [lists, python, docker_py, bollard] = &arguments[..] else {
        bail!("usage: yardstick LISTS PYTHON FOLDER-OF-DOCKER-PY FOLDER-OF-BOLLARD");
    };
    let world = World::running()?;
    let registry = Registry::open()?;
    publish(&registry)?;
    name_images(&world)?;
    let of_python = compare(&world, &lists.join("docker-py.txt"), &docker_py::run(&world, python, docker_py)?)?;
    let of_bollard = compare(&world, &lists.join("bollard.txt"), &bollard::run(&world, &registry, bollard)?)?;
    Ok(of_python && of_bollard)
}

/// Says what differs from a list; whether nothing does.
fn compare(world: &World, list: &Path, verdicts: &Verdicts) -> Result<bool> {
    ensure!(!verdicts.is_empty(), "no test of {} has run", list.display());
    let text = fs::read_to_string(list).with_context(|| format!("read {}", list.display()))?;
    Expectations::read(&text)?.report(verdicts, world.is_cove(), &mut io::stdout().lock())
}

/// The images that docker-py's tests run. What they need of alpine, busybox has.
fn name_images(world: &World) -> Result<()> {
    world.docker_with(&["load"], &archive(docker_py::IMAGE, &[])?).and_then(Done::ok)?;
    for name in ["alpine:latest", "busybox:latest"] {
        world.docker(&["tag", docker_py::IMAGE, name])?.ok()?;
    }
    Ok(())
}

/// The images that bollard's tests pull.
fn publish(registry: &Registry) -> Result<()> {
    for (name, files) in bollard::IMAGES {
        registry.put(&archive(name, files)?, name, "v2s2")?;
    }
    Ok(())
}

fn archive(name: &str, files: &[bollard::TextFile]) -> Result<Vec<u8>> {
    let files: Vec<_> = files.iter().map(|(path, text, mode)| (*path, text.as_bytes().to_vec(), *mode)).collect();
    let config = serde_json::json!({ "Cmd": ["/bin/sh"], "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"] });
    image::docker_archive(name, &image::root_tar(&files)?, config)
}

/// Runs a command of a suite; what it says is for the suite to read.
fn output(mut command: std::process::Command, folder: &Path) -> Result<String> {
    let what = command::shown(&command);
    let output = command.current_dir(folder).output().with_context(|| format!("start {what}"))?;
    ensure!(!output.stdout.is_empty(), "{what} said nothing but: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
