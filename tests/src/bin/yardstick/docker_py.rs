//! docker-py's integration tests, run by pytest.

use std::path::Path;

use anyhow::Result;
use cove_tests::world::World;

use crate::{Verdicts, output};

/// The image that its tests run.
pub(crate) const IMAGE: &str = "alpine:3.10";

/// The files of tests that are about one engine: not swarm and its services, not plugins, not builds.
const FILES: [&str; 12] = [
    "api_client_test",
    "api_container_test",
    "api_exec_test",
    "api_healthcheck_test",
    "api_image_test",
    "api_network_test",
    "api_volume_test",
    "client_test",
    "models_containers_test",
    "models_images_test",
    "models_networks_test",
    "models_volumes_test",
];

/// Runs the tests in docker-py's folder.
pub(crate) fn run(world: &World, python: &Path, folder: &Path) -> Result<Verdicts> {
    let mut pytest = world.command(python);
    pytest.args(["-m", "pytest", "-p", "no:cacheprovider", "-q", "-rA", "--tb=line", "--timeout=90"]);
    pytest.args(FILES.map(|file| format!("tests/integration/{file}.py")));
    Ok(verdicts(&output(pytest, folder)?))
}

/// Reads lines like "PASSED tests/integration/x_test.py::Class::name - why".
fn verdicts(said: &str) -> Verdicts {
    said.lines()
        .filter_map(|line| {
            let (verdict, rest) = line.split_once(' ')?;
            let passed = match verdict {
                "PASSED" => true,
                "FAILED" | "ERROR" | "XFAIL" | "XPASS" => false,
                _ => return None,
            };
            let name = rest.split(" - ").next()?.trim().strip_prefix("tests/integration/")?;
            name.contains("::").then(|| (name.to_owned(), passed))
        })
        .collect()
}
